import { t } from 'elysia'

/** A token that went out by mail. */
export const MailToken = t.String({
  maxLength: 256,
  examples: ['019b1a20-9c3e-7d14-8b06-f1a57e2c4d93.3q2-7wEr5tYu8iOp1aSd4fGh6jKl9zXc0vBn2mQw5eR'],
  description: 'The token of the mail, single use'
})
/** The token that a log-in goes on with. */
export const MfaToken = t.String({
  maxLength: 256,
  examples: ['019b1a20-7f82-7a6b-9e41-c80d3b5f2a17.Zx9cV7bN5mL3kJ1hG8fD6sA4pO2iU0yT-rEwQ1zXc3V'],
  description: 'The `mfaToken` of the log-in; good for 5 minutes and one log-in'
})
/** A code of an authenticator, or one of the recovery codes. */
export const Code = t.String({ minLength: 1, maxLength: 64, examples: ['123456'] })
