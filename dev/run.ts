import { handOver, setup } from './setup.ts'

/*
 * `bun dev/run.ts PROGRAM [ARGUMENT …]`: runs a program of this repository, after its dependencies were installed where they are missing or old. Every
 * command of package.json that has no setup of its own goes through it, so that each works from a fresh clone.
 */
await setup()
process.exit(await handOver(process.argv.slice(2)))
