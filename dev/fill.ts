import { manage } from '../ops/manage.ts'

/** `bun run dev:fill [--doctors 20000] [--appointments 1000000]`: many doctors and appointments in the system that `bun start` runs; then `measure`. */
const [first, ...rest] = process.argv.slice(2)
process.exit(manage('scheduling', first === 'measure' ? ['measure'] : ['fill', ...[first, ...rest].filter((word) => word !== undefined)]))
