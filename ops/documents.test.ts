import { expect, test } from 'bun:test'
import { flawsOf } from '#platform/docs/check'
import { apps } from './route-table.ts'

test.each(Object.entries(apps))('the document of %s describes every operation, with examples that it would itself take', async (_, app) => {
  expect(await flawsOf(app)).toEqual([])
})
