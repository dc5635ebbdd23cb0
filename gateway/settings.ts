import { Type } from '@sinclair/typebox'
import { commonSettings, networks, oneOf, origins, publicUrl, text, whole } from '#platform/setup/settings'

const service = (name: string) => text({ pattern: '^http://[^\\s,/]+/?(\\s*,\\s*http://[^\\s,/]+/?)*$', examples: [`http://${name}:8000`] })

/** What the gateway reads from its environment. A service's URL may be a comma list of replicas; a name stands for all of its addresses. */
export const settingsSchema = Type.Object({
  ...commonSettings,
  OPS_PORT: whole(0, 65535, { default: 9090, examples: [9090] }),
  AUTH_URL: service('auth'),
  SCHEDULING_URL: service('scheduling'),
  NOTIFIER_URL: service('notifier'),
  PUBLIC_URL: publicUrl({ default: 'http://localhost:8080' }),
  RATE_LIMIT: oneOf(['on', 'off'], 'on'),
  TRUSTED_PROXIES: networks({ default: 'none' }),
  CORS_ORIGINS: origins({ default: 'none' }),
  MAX_IN_FLIGHT: whole(1, 60_000, { default: 2_000, examples: [2_000] }),
  MAX_LAG_MS: whole(10, 60_000, { default: 500, examples: [500] }),
  GATEWAY_WORKERS: whole(1, 64, { default: 1, examples: [2] }),
  MAX_STREAMS: whole(1, 60_000, { default: 10_000, examples: [10_000] }),
  MAX_STREAMS_PER_CALLER: whole(1, 60_000, { default: 10, examples: [10] })
})
