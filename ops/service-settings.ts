import type { TObject } from '@sinclair/typebox'
import { settingsSchema as gateway } from '../gateway/settings.ts'
import { settingsSchema as auth } from '../services/auth/settings.ts'
import { settingsSchema as notifier } from '../services/notifier/settings.ts'
import { settingsSchema as scheduling } from '../services/scheduling/settings.ts'

/** The settings of each process, as it validates them itself. */
export const settingsOf = { gateway, auth, scheduling, notifier } satisfies Record<string, TObject>
