import { setup } from './setup.ts'

await setup()
const { startSystem } = await import('./system.ts')
await startSystem()
