/*
 * What the contract says of bookings, once more and as plainly as can be, to compare the service with: one zone without clock changes (three hours
 * behind UTC), visits of one hour on the hour, no buffers, no cancellation notice. It shares nothing with the service.
 */
const HOUR = 3_600_000
const MINUTE = 60_000

/** An appointment as the reference has it; `answerBy` in Unix ms. */
export type Known = { id: string; doctor: number; patient: number; start: number; status: string; answerBy: number }
type Hold = { id: string; doctor: number; patient: number; start: number; until: number }

/** Everything that is known: instants in Unix ms, opening hours in local hours, people by number. */
export class Reference {
  appointments: Known[] = []
  holds: Hold[] = []

  constructor(
    public now: number,
    public hours: [from: number, to: number][]
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

  book(id: string, doctor: number, patient: number, start: number) {
    this.holds = this.holds.filter((hold) => !(hold.doctor === doctor && hold.patient === patient && hold.start === start))
    this.appointments.push({ id, doctor, patient, start, status: 'requested', answerBy: this.answerBy(start) })
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
