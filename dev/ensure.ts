import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canInstall, install } from './apt.ts'

/** Debian's package of a program, and the services that come with it and stay off. */
type Package = { name: string; services?: string[] }

/** Where a program is: found, or installed by apt where that needs no question, having said so; undefined where there is none to be had. */
export async function ensureProgram(program: string, { name, services = [] }: Package): Promise<string | undefined> {
  // what a system's administrator runs is not on everybody's PATH
  const find = () => Bun.which(program) ?? [`/usr/sbin/${program}`].find(existsSync)
  const found = find()
  if (found || !canInstall()) return found
  const log = join(tmpdir(), `healthmed-apt-${name}-${process.pid}.log`)
  await install(name, services, log).catch((error: Error) => console.log(error.message))
  rmSync(log, { force: true })
  return find()
}
