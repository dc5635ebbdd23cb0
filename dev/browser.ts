import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { canInstall, install } from './apt.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
const places = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium']

const find = () => [...names.map((name) => Bun.which(name)), ...places].find((path) => path && existsSync(path)) ?? undefined

/** A Chromium or Chrome on this machine; Debian's is installed where that needs no question. Undefined where there is none to be had. */
export async function ensureBrowser(dir: string, say: (line: string) => void): Promise<string | undefined> {
  const found = find()
  if (found || !canInstall()) return found
  await install('chromium', [], join(dir, 'apt-chromium.log')).catch((error) => say(String(error)))
  return find()
}
