import { cpf } from 'cpf-cnpj-validator'
import { Problem } from '#platform/http/problem'

const form = /^\d{3}\.?\d{3}\.?\d{3}-?\d{2}$/

/** The eleven digits of a CPF with right check digits, with or without punctuation; undefined where it is none. */
export function readCpf(text: string): string | undefined {
  const spelled = text.trim()
  return form.test(spelled) && cpf.isValid(spelled) ? cpf.strip(spelled) : undefined
}

/** As `readCpf`; throws `invalid_cpf`. */
export function requireCpf(text: string): string {
  const digits = readCpf(text)
  if (!digits) throw new Problem('invalid_cpf')
  return digits
}

/** What others may see of it: `***.456.789-**`. */
export const maskCpf = (digits: string) => `***.${digits.slice(3, 6)}.${digits.slice(6, 9)}-**`
