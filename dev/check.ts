import { setup } from './setup.ts'

setup()
const { runChecks } = await import('./run-checks.ts')
process.exit(await runChecks())
