/*
 * What the contract says of bookings, once more and as plainly as can be, to compare the service with: one zone without clock changes (three hours
 * behind UTC), visits of one hour on the hour, no buffers, no cancellation notice. It shares nothing with the service.
 */
const HOUR = 3_600_000
const MINUTE = 60_000

/** An appointment as the reference has it; `answerBy` in Unix ms. */
export type Known = {
  id: string
  doctor: number
  patient: number
  start: number
  status: string
  answerBy: number
  booked: number
  from: string | undefined
}
type Hold = { id: string; doctor: number; patient: number; start: number; until: number; held: number; from: string | undefined }
type Limits = { open: number; fromOneAddress: number; anHour: number }

/** Everything that is known: instants in Unix ms, opening hours in local hours, people by number. */
export class Reference {
  appointments: Known[] = []
  holds: Hold[] = []
  /** Every hold that was not booked, with its beginning. */
  holdsOfBefore: Hold[] = []
  /** When a patient moved an appointment. */
  moves: { patient: number; at: number }[] = []

  constructor(
    public now: number,
    public hours: [from: number, to: number][],
    private limits: Limits
  ) {}

  /** Those who claim time now: requests and confirmed visits, and holds that have not run out. */
  claims = (except?: string) => [
    ...this.appointments.filter(({ id, status }) => id !== except && (status === 'requested' || status === 'confirmed')),
    ...this.holds.filter(({ until }) => until > this.now)
  ]

  isOpen(doctor: number, start: number, notice = 60): boolean {
    const [from, to] = this.hours[doctor] as [number, number]
    const local = new Date(start - 3 * HOUR).getUTCHours()
    return local >= from && local < to && start >= this.now + notice * MINUTE
  }

  slots = (doctor: number, starts: number[]) =>
    starts.filter((start) => this.isOpen(doctor, start) && !this.claims().some((claim) => claim.doctor === doctor && claim.start === start))

  /** Why a claim of time is refused; of several reasons any may be told. None: it must be let in. */
  refusals(doctor: number, patient: number, start: number, { except, notice }: { except?: string; notice?: number } = {}): string[] {
    const met = this.claims(except).filter((claim) => claim.start === start)
    return [
      ...(this.isOpen(doctor, start, notice) ? [] : ['422 slot_unavailable']),
      ...(met.some((claim) => claim.doctor === doctor) ? ['409 slot_taken'] : []),
      ...(met.some((claim) => claim.patient === patient) ? ['409 patient_conflict'] : [])
    ]
  }

  heldBy = (patient: number) => this.holds.find((hold) => hold.patient === patient && hold.until > this.now)

  book(id: string, doctor: number, patient: number, start: number, from: string | undefined) {
    const own = (hold: Hold) => hold.doctor === doctor && hold.patient === patient && hold.start === start && hold.until > this.now
    const held = this.holds.find(own)
    this.holds = this.holds.filter((hold) => hold !== held)
    this.holdsOfBefore = this.holdsOfBefore.filter((hold) => hold !== held)
    const times = { answerBy: this.answerBy(start), booked: this.now }
    this.appointments.push({ id, doctor, patient, start, status: 'requested', ...times, from: held ? held.from : from })
  }

  hold(hold: Omit<Hold, 'until' | 'held'>) {
    const made = { ...hold, until: this.now + 5 * MINUTE, held: this.now }
    this.holds.push(made)
    this.holdsOfBefore.push(made)
  }

  give(hold: Hold) {
    this.holds = this.holds.filter((each) => each !== hold)
  }

  private lately = (at: number, hours: number) => at > this.now - hours * HOUR

  /** Why a patient may not book, whatever the slot. */
  bookingLimits(patient: number): string[] {
    const own = this.appointments.filter((one) => one.patient === patient)
    const open = own.filter(({ status, start }) => (status === 'requested' || status === 'confirmed') && start > this.now)
    const { open: most, anHour } = this.limits
    const tooMany = own.filter(({ booked }) => this.lately(booked, 1)).length >= anHour
    const tooManyToday = own.filter(({ booked }) => this.lately(booked, 24)).length >= 2 * anHour
    return [...(open.length >= most ? ['409 booking_limit'] : []), ...(tooMany || tooManyToday ? ['429 rate_limited'] : [])]
  }

  /** Why a patient may not hold a slot any more today. */
  holdLimits(doctor: number, patient: number, start: number): string[] {
    const own = this.holdsOfBefore.filter((hold) => hold.patient === patient && this.lately(hold.held, 24))
    const ofDoctor = own.filter((hold) => hold.doctor === doctor)
    const ofSlot = ofDoctor.filter((hold) => hold.start === start)
    return ofSlot.length >= 3 || ofDoctor.length >= 10 || own.length >= 30 ? ['429 rate_limited'] : []
  }

  /** Why nobody at an address may claim time of a doctor. */
  addressLimits(doctor: number, from: string | undefined): string[] {
    const near = this.claims().filter((claim) => claim.doctor === doctor && claim.from === from && claim.start > this.now)
    return from !== undefined && near.length >= this.limits.fromOneAddress ? ['409 booking_limit'] : []
  }

  /** Why a patient may not move an appointment now. */
  moveLimits(patient: number): string[] {
    const own = this.moves.filter((move) => move.patient === patient)
    const { anHour } = this.limits
    const tooMany =
      own.filter(({ at }) => this.lately(at, 1)).length >= anHour || own.filter(({ at }) => this.lately(at, 24)).length >= 2 * anHour
    return tooMany ? ['429 rate_limited'] : []
  }

  answerBy = (start: number) => Math.min(this.now + 24 * HOUR, start)

  /** Why an action is refused; undefined where it is allowed. */
  verdict(action: string, { status, start }: Known): string | undefined {
    const from = { confirm: ['requested'], decline: ['requested'], complete: ['confirmed'] }[action] ?? ['requested', 'confirmed']
    if (!from.includes(status)) return '409 invalid_transition'
    if (action === 'complete') return this.now < start ? '409 invalid_transition' : undefined
    return this.now >= start ? '409 too_late' : undefined
  }

  /** Time goes on, and requests that nobody answered expire. */
  pass(ms: number) {
    this.now += ms
    for (const one of this.appointments) if (one.status === 'requested' && one.answerBy <= this.now) one.status = 'expired'
  }

  /** The future visits that lie outside of the hours. */
  conflicts = (doctor: number) =>
    this.claims()
      .filter((claim): claim is Known => 'status' in claim && claim.doctor === doctor && claim.start > this.now)
      .filter(({ start }) => !this.isOpen(doctor, start, Number.NEGATIVE_INFINITY))
      .map(({ id }) => id)
}
