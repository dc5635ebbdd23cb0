import { setup } from './setup.ts'

/** Zones in which a server may stand: none of what it says or does may depend on it. The last is 14 hours ahead of UTC. */
const zones = ['UTC', 'America/Sao_Paulo', 'Pacific/Kiritimati']

await setup()
const results: string[] = []
for (const zone of zones) {
  console.log(`\nTests with the machine in ${zone}`)
  // the last filter is the test that the zone has arrived
  const filters = process.argv.length > 2 ? [...process.argv.slice(2), 'dev/zones'] : []
  const tests = Bun.spawn([process.execPath, 'dev/test.ts', ...filters], {
    env: { ...process.env, TZ: zone },
    stdout: 'pipe',
    stderr: 'inherit'
  })
  const output = await tests.stdout.text()
  const counted = /^\d+ passed, \d+ failed.*$/m.exec(output)?.[0] ?? 'no result'
  if ((await tests.exited) !== 0) console.log(output)
  results.push(counted)
  console.log(`${zone}: ${counted}`)
}
const same = new Set(results).size === 1 && /^[1-9]\d* passed, 0 failed/.test(results[0] ?? '')
console.log(same ? '\nThe same in all zones' : '\nThe zones differ, or something failed')
process.exit(same ? 0 : 1)
