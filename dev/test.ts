import { setup } from './setup.ts'

await setup()
const { runTests } = await import('./run-tests.ts')
process.exit(await runTests(process.argv.slice(2)))
