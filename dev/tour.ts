import { setup } from './setup.ts'

await setup()
const { tour } = await import('./main-job.ts')
process.exit(await tour())
