import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import * as common from '@zxcvbn-ts/language-common'
import * as brazilian from '@zxcvbn-ts/language-pt-br'
import { familiar } from './familiar.ts'

/*
 * The thread that estimates passwords, started by estimate.ts. The dictionaries take some 80 MB, which go with the thread.
 */
declare const self: Worker

const {
  'commonWords-pt-br': words,
  'wikipedia-pt-br': written,
  'firstnames-pt-br': firstNames,
  'lastnames-pt-br': lastNames,
  'months-pt-br': months,
  'daysOfWeek-pt-br': days,
  'seasons-pt-br': seasons
} = brazilian.dictionary
const estimator = new ZxcvbnFactory({
  // under names of our own: those of the library's word sequences make it take three words that do not follow one another for a sequence
  dictionary: { familiar, ...common.dictionary, words, written, firstNames, lastNames, calendar: [...months, ...days, ...seasons] },
  graphs: { qwerty: common.adjacencyGraphs.qwerty, keypad: common.adjacencyGraphs.keypad }
})

self.onmessage = ({ data: { id, password, own } }: MessageEvent<{ id: number; password: string; own: string[] }>) => {
  self.postMessage({ id, guesses: estimator.check(password, own).guesses })
}
