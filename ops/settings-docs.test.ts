import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { FILE, settingsPage } from './settings-docs.ts'
import { words } from './settings-words.ts'

test('the page of settings is what the schemas say now (bun run settings:docs)', () => {
  expect(readFileSync(FILE, 'utf8')).toBe(settingsPage())
})

test('no words are left of a setting that is gone', () => {
  const page = settingsPage()
  expect(Object.keys(words).filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})
