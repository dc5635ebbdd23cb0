import { longDate, shortDate, timeOfDay } from './dates.ts'
import { appointmentFacts, offerFacts, quoted } from './facts.ts'
import { linkOf } from './links.ts'
import type { Content, Facts, Template } from './model.ts'

const at = ({ appointment }: Facts) => (appointment ? shortDate(appointment.start, appointment.timezone, 'en') : '')
const other = ({ you, doctor, patient }: Facts) => (you.role === 'doctor' ? patient : doctor)
const did = (facts: Facts, verb: 'cancelled' | 'moved') => {
  if (facts.by === 'you') return `You ${verb} the appointment with ${other(facts)}.`
  return facts.by === 'system' ? `The appointment with ${other(facts)} was ${verb}.` : `${other(facts)} ${verb} the appointment.`
}
const earlier = ({ appointment }: Facts) =>
  appointment?.previousStart ? longDate(appointment.previousStart, appointment.timezone, 'en') : undefined
const until = (moment: string | undefined, facts: Facts) => (moment ? longDate(moment, facts.you.timezone, 'en') : '')

function declined(facts: Facts): string[] {
  const [time, isDoctor] = [earlier(facts), facts.you.role === 'doctor']
  if (isDoctor) {
    const what = time
      ? `You declined the new time that ${facts.patient} asked for.`
      : `You declined the appointment that ${facts.patient} asked for.`
    return [what, time ? freed(time) : free]
  }
  return time ? [`${facts.doctor} cannot see you at the new time.`, gone(time)] : [`${facts.doctor} cannot see you at this time.`, again]
}

function expired(facts: Facts): string[] {
  const time = earlier(facts)
  if (facts.you.role === 'doctor') return [`The request of ${facts.patient} expired without an answer.`, time ? freed(time) : free]
  return [`Your request for an appointment with ${facts.doctor} was not answered in time.`, time ? gone(time) : again]
}

const free = 'The time is free again.'
const freed = (time: string) => `${free} The earlier time, ${time}, was given up with the move.`
const again = 'Please choose another time in Health&Med.'
const gone = (time: string) => `The earlier time, ${time}, was given up with the move and is no longer reserved for you. ${again}`

/** What each mail says, in English. No specialty, reason of the visit or other health fact in a subject. */
export const english: Record<Template, (facts: Facts) => Content> = {
  appointment_requested: (facts) => ({
    subject: `Appointment requested: ${at(facts)}`,
    heading: 'Appointment requested',
    paragraphs:
      facts.you.role === 'doctor'
        ? [`${facts.patient} asked for an appointment with you.`, 'The time is kept until you answer: confirm or decline it in Health&Med.']
        : [
            `We received your request for an appointment with ${facts.doctor}.`,
            'The time is kept for you. We will write as soon as there is an answer.'
          ],
    facts: appointmentFacts(facts)
  }),
  appointment_confirmed: (facts) => ({
    subject: `Appointment confirmed: ${at(facts)}`,
    heading: 'Appointment confirmed',
    paragraphs: [`Your appointment with ${other(facts)} is confirmed.`, 'The attached invitation puts it into your calendar.'],
    facts: appointmentFacts(facts)
  }),
  appointment_declined: (facts) => ({
    subject: `Appointment declined: ${at(facts)}`,
    heading: 'Appointment declined',
    paragraphs: declined(facts),
    facts: appointmentFacts(facts)
  }),
  appointment_cancelled: (facts) => ({
    subject: `Appointment cancelled: ${at(facts)}`,
    heading: 'Appointment cancelled',
    paragraphs: [did(facts, 'cancelled'), 'The time is free again.'],
    facts: appointmentFacts(facts)
  }),
  appointment_rescheduled: (facts) => ({
    subject: `Appointment moved: ${at(facts)}`,
    heading: 'Appointment moved',
    paragraphs: [
      did(facts, 'moved'),
      facts.appointment?.status === 'confirmed'
        ? 'The new time is confirmed.'
        : facts.you.role === 'doctor'
          ? 'The new time awaits your confirmation.'
          : 'The new time still awaits confirmation. The earlier one is no longer reserved for you.'
    ],
    facts: appointmentFacts(facts)
  }),
  appointment_expired: (facts) => ({
    subject: `Appointment request unanswered: ${at(facts)}`,
    heading: 'Appointment request unanswered',
    paragraphs: expired(facts),
    facts: appointmentFacts(facts)
  }),
  reminder_24h: (facts) => ({
    subject: `Reminder: appointment on ${at(facts)}`,
    // no span of time: one that is late would not tell the truth
    heading: 'Your appointment is coming up',
    paragraphs: [`This is a reminder of your appointment with ${other(facts)}.`],
    facts: appointmentFacts(facts)
  }),
  reminder_1h: (facts) => ({
    subject: `Reminder: appointment at ${facts.appointment ? timeOfDay(facts.appointment.start, facts.appointment.timezone, 'en') : ''}`,
    heading: 'Your appointment is soon',
    paragraphs: [`This is a reminder of your appointment with ${other(facts)}.`],
    facts: appointmentFacts(facts)
  }),
  waitlist_offered: (facts) => ({
    subject: 'A time has become free for you',
    heading: 'A time has become free',
    paragraphs: [
      `${facts.doctor} has a free time in the period that you are waiting for.`,
      `It is kept for you until ${until(facts.offer?.expiresAt, facts)}. Book it in Health&Med before then.`
    ],
    facts: offerFacts(facts)
  }),
  verify_email: (facts) => ({
    subject: 'Confirm your e-mail address',
    heading: 'Confirm your e-mail address',
    paragraphs: [
      'Hello. To use Health&Med, please confirm that this address is yours.',
      `The link is valid until ${until(facts.account.expiresAt, facts)}. If it was not you who signed up, ignore this message.`
    ],
    action: { label: 'Confirm e-mail', codeLabel: 'Or enter this code:', ...linkOf(facts, 'verify-email') }
  }),
  verify_new_email: (facts) => ({
    subject: 'Confirm your new email address',
    heading: 'Confirm your new email address',
    paragraphs: [
      'This address was given as the new one of an account at Health&Med. Please confirm that it is yours.',
      `The link is valid until ${until(facts.account.expiresAt, facts)}. If you did not ask for this, ignore this message.`
    ],
    action: { label: 'Confirm email address', codeLabel: 'Or enter this code:', ...linkOf(facts, 'verify-email') }
  }),
  email_changing: () => ({
    subject: 'Request to change your email address',
    heading: 'Request to change your email address',
    paragraphs: [
      'Somebody asked to change the email address of your account. It changes when the new address is confirmed.',
      'If it was not you, choose a new password now with "Forgot password": this cancels the request.'
    ]
  }),
  password_reset: (facts) => ({
    subject: 'Reset your password',
    heading: 'Reset your password',
    paragraphs: [
      'We received a request to change the password of your account.',
      `The link works once, until ${until(facts.account.expiresAt, facts)}. If it was not you, ignore this message: your password stays as it is.`
    ],
    action: { label: 'Choose a new password', codeLabel: 'Or enter this code:', ...linkOf(facts, 'reset-password') }
  }),
  locked_out: (facts) => ({
    subject: facts.account.resetNeeded ? 'Sign-in locked' : 'Sign-in locked for a while',
    heading: facts.account.resetNeeded ? 'Sign-in locked' : 'Sign-in locked for a while',
    paragraphs: [
      'There were too many attempts to sign in to your account with a wrong password or code.',
      facts.account.resetNeeded
        ? 'There were so many that nobody gets in with the present password any more: choose a new one with "Forgot password" to open the account again.'
        : `New attempts from the same place are locked until ${until(facts.account.until, facts)}. From other places you can sign in as usual.`,
      'If it was not you, your password is still safe. If you use it elsewhere, change it.',
      'If you cannot sign in any more, choose a new password with "Forgot password".'
    ]
  }),
  second_factor_on: () => ({
    subject: 'Two-step login activated',
    heading: 'Two-step login activated',
    paragraphs: [
      'Two-step login was activated for your account. From now on, signing in also asks for a code from the authenticator app.',
      'If it was not you, choose a new password with "Forgot password" and contact the clinic.'
    ]
  }),
  second_factor_off: ({ account: { change, reason } }) => ({
    subject: 'Two-step login turned off',
    heading: 'Two-step login turned off',
    paragraphs: [
      change === 'voided'
        ? 'Your email address was confirmed for the first time. For your safety, the two-step login that had been set up before was turned off, and all sessions were ended.'
        : change === 'reset'
          ? 'The administration of the system turned off the two-step login of your account.'
          : 'The two-step login of your account was turned off. Signing in now asks for the password only.',
      'You can activate it again after signing in. If you did not ask for this, choose a new password with "Forgot password" and contact the clinic.'
    ],
    facts: reason ? [['Reason', quoted(reason)]] : []
  }),
  doctor_approved: (facts) => ({
    subject: 'Your registration was approved',
    heading: 'Your registration was approved',
    paragraphs: [
      facts.you.name ? `Welcome to Health&Med, ${facts.you.name}.` : 'Welcome to Health&Med.',
      'Publish your profile and your hours so that patients can book appointments.'
    ]
  }),
  doctor_rejected: (facts) => ({
    subject: 'Your registration was not approved',
    heading: 'Your registration was not approved',
    paragraphs: ['We looked at your registration and could not approve it.'],
    facts: facts.account.reason ? [['Reason', quoted(facts.account.reason)]] : []
  }),
  account_erased: (facts) => ({
    subject: 'Your account was erased',
    heading: 'Your account was erased',
    paragraphs: [
      `${facts.you.name ? `${facts.you.name}, your` : 'Your'} personal data was erased from Health&Med, as you asked.`,
      'Future appointments were cancelled and the other party was told. This is the last message that we send you.'
    ]
  })
}
