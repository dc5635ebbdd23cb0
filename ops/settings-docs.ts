import { join } from 'node:path'
import type { TObject, TSchema } from '@sinclair/typebox'
import { prepareSchema } from '#platform/setup/prepare-settings'
import { startSchema } from '../dev/start-settings.ts'
import { settingsOf } from './service-settings.ts'
import { words } from './settings-words.ts'

/** Where the table is kept. */
export const FILE = join(import.meta.dir, '..', 'docs', 'settings.md')

const HEAD = `# Settings

Every process reads its settings from the environment, all at once when it starts. Each may come from a file instead, named by \`NAME_FILE\`: that
is how secrets are given. Where one is wrong or missing the process names every such one with an example and ends with 78.

This page is made from the schemas that validate them: \`bun run settings:docs\`.
`

const sections: Record<string, [title: string, TObject]> = {
  gateway: ['Gateway', settingsOf.gateway],
  auth: ['Auth', settingsOf.auth],
  scheduling: ['Scheduling', settingsOf.scheduling],
  notifier: ['Notifier', settingsOf.notifier],
  prepare: ['The migrating job and `bun run ops`', prepareSchema],
  start: ['`bun start`', startSchema]
}

/** The whole page. Throws where a setting has no words. */
export const settingsPage = (): string =>
  [HEAD, ...Object.values(sections).map(([title, schema]) => `## ${title}\n\n${tableOf(schema)}`)].join('\n')

function tableOf({ properties, required = [] }: TObject): string {
  const lines = Object.entries<TSchema>(properties).map(([name, property]) => {
    const about = words[name]
    if (!about) throw new Error(`${name} has no words in ops/settings-words.ts`)
    const standard = property.default !== undefined ? code(property.default) : required.includes(name) ? '**needed**' : 'none'
    return `| \`${name}\` | ${about} | ${standard} | ${property.examples ? code(property.examples[0]) : ''} |`
  })
  return `| name | what for | standard | example |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`
}

const code = (value: unknown) => `\`${String(value).replaceAll('|', '\\|')}\``

if (import.meta.main) {
  await Bun.write(FILE, settingsPage())
  console.log(`wrote ${FILE}`)
}
