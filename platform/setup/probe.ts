import { env, exit } from 'node:process'

/** A container's health check: asks the process beside it whether it is ready, and ends with 0 if so, else with 1. */
const port = env.OPS_PORT ?? env.PORT ?? '8000'
const ready = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2_500) }).catch(() => undefined)
exit(ready?.ok ? 0 : 1)
