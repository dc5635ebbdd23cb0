import { setup } from './setup.ts'

await setup()
const { runChecks } = await import('./run-checks.ts')
process.exit(await runChecks())
