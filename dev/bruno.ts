import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/*
 * `bun run bruno`: the main job as a Bruno collection, against the system at PORT (or GATEWAY_URL). It needs nothing of node_modules.
 */
const CLI = '@usebruno/cli@4.1.0'
const { GATEWAY_URL, PORT = '8080' } = process.env
const url = GATEWAY_URL ?? `http://localhost:${PORT}`

console.log(
  `Running the collection in bruno/ against ${url} with ${CLI}. The first run fetches it (275 MB); nothing is installed in this repository.`
)
const { status } = spawnSync(
  process.execPath,
  ['x', CLI, 'run', '--env', 'local', '--env-var', `url=${url}`, '--sandbox', 'developer', ...process.argv.slice(2)],
  { cwd: join(import.meta.dir, '..', 'bruno'), stdio: 'inherit' }
)
process.exit(status ?? 1)
