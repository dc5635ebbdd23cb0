import { setup } from './setup.ts'

setup()
const { startSystem } = await import('./system.ts')
await startSystem()
