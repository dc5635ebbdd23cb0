import { setup } from './setup.ts'

setup()
const { tour } = await import('./main-job.ts')
process.exit(await tour())
