import { bold, green, red } from '../../dev/terminal.ts'

/** What was looked at, and whether it held. */
export class Verdicts {
  readonly #all: { what: string; right: boolean; figures: string }[] = []

  /** One thing that was looked at. */
  judge(what: string, right: boolean, figures: string): void {
    this.#all.push({ what, right, figures })
  }

  /** What ended the whole before its end: what came after was never looked at, so nothing may be called good. */
  brokeOff(error: unknown): void {
    this.judge('to the end', false, (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '')
  }

  /** Whether something was looked at, and all of it held. */
  holds(): boolean {
    return this.#all.length > 0 && this.#all.every(({ right }) => right)
  }

  /** The verdict to print. */
  lines(): string[] {
    const wrong = this.#all.filter(({ right }) => !right).length
    const each = this.#all.map(({ what, right, figures }) => `  ${right ? green('✓') : red('✗')} ${what.padEnd(34)} ${figures}`)
    const sum = this.holds() ? green('\nAll of it holds.') : red(`\n${wrong} of ${this.#all.length} do not hold.`)
    return [`\n${bold('Verdict')}`, ...each, sum]
  }
}
