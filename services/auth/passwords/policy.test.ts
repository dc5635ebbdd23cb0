import { expect, test } from 'bun:test'
import { Problem } from '#platform/http/problem'
import { type Known, requireStrong } from './policy.ts'

const ana: Known = { email: 'ana.souza@clinicaluz.example', name: 'Ana Conceição Xavier', cpf: '52998224725', crm: '123456-SP' }
const isWeak = async (password: string, known = ana) => {
  try {
    await requireStrong(password, known)
    return false
  } catch (error) {
    if (error instanceof Problem && error.code === 'weak_password') return true
    throw error
  }
}
const weakOf = async (passwords: string[]) => {
  const weak: string[] = []
  for (const password of passwords) if (await isWeak(password)) weak.push(password)
  return weak
}

const known26 =
  `Senha@123456 healthmed1234 Senha12345678 Brasil@12345 Mudar@123456 Admin@123456 Teste@123456 Password@1234 Bemvindo@2024 Medico@123456
Hospital@2024 Clinica@12345 Consulta@2024 Flamengo2024! Corinthians@1 minhasenha123! Qwerty@123456 Welcome@12345 P@ssw0rd12345 12345678Senha@
Janeiro@2024! Paciente#2025 Saude@202412 Doutor@12345 Usuario@12345 Trocar@12345`.split(/\s+/)

test('each of the best-known passwords of a word, digits and a mark is refused', async () => {
  expect(await weakOf(known26)).toEqual(known26)
})

test('so is the whole class: familiar words with usual endings, in other letters, in the other order and with letters replaced', async () => {
  const words = 'senha brasil bemvindo hospital clinica flamengo fevereiro gabriel'
  const endings = ['@123456', '12345678', '@2024', '2025!', '#2026', '123456!', '.20262026']
  const forms = words.split(' ').flatMap((word) =>
    endings.flatMap((ending) => {
      const capital = `${word[0]?.toUpperCase()}${word.slice(1)}`
      return [
        `${word}${ending}`,
        `${capital}${ending}`,
        `${word.toUpperCase()}${ending}`,
        `${ending}${capital}`,
        `${word.replace(/a/g, '@')}${ending}`
      ]
    })
  )
  const long = forms.filter((form) => form.length >= 12)
  expect(long.length).toBeGreaterThan(100)
  expect(await weakOf(long)).toEqual(long)
}, 60_000)

test('repeated characters, keys in a row, dates, and a word doubled are refused, in wide letters too', async () => {
  const weak = [
    'aaaaaaaaaaaa',
    'abcabcabcabc',
    'senhasenhasenha',
    '123456789012',
    'qwertyuiop12',
    '1q2w3e4r5t6y',
    '25/12/1987!!',
    'ＰＡＳＳＷＯＲＤ１２３４'
  ]
  expect(await weakOf(weak)).toEqual(weak)
})

test('what is known of the person makes no password: name, address, CPF, CRM, in their spellings', async () => {
  const weak = [
    'conceicaoxavier',
    'Conceição2024!',
    'xavier@123456',
    'clinicaluz123',
    'ana.souza@clinicaluz.example',
    '529.982.247-25',
    '52998224725!',
    'CRM123456-SP'
  ]
  expect(await weakOf(weak)).toEqual(weak)
  const [someone] = await weakOf(['Xavier Ambrosio 77'])
  expect(someone).toBeUndefined()
})

test('long passphrases and random passwords pass, with and without accents, of any script', async () => {
  const strong = [
    'uma frase que ninguem adivinha',
    'um cavalo azul',
    'três pratos de trigo para três tigres',
    'correct horse battery staple',
    'demo-consulta-2027',
    'k8#mQz!r2Lp0',
    'чай и хлеб на столе утром',
    `${'x'.repeat(20)}uma frase que ninguem adivinha, e que vai muito longe`
  ]
  expect(await weakOf(strong)).toEqual([])
})

test('a hundred and twenty-eight characters of the most laborious kind cost about as much as thirty-two', async () => {
  const parts = ['p4ssw0rd@$!1|7', '1l!|I', '@4a8b6', 'aA1!', 'senha', '@4(8|3€6|!1$5+7%2']
  const timeOf = async (length: number) => {
    const began = performance.now()
    for (const part of parts) await isWeak(part.repeat(128).slice(0, length))
    return performance.now() - began
  }
  await timeOf(32)
  const [short, long] = [await timeOf(32), await timeOf(128)]
  expect(long).toBeLessThan(3 * short + 100)
})

test('more checks at once than can be done soon are refused as overload, and the others are answered', async () => {
  const answers = await Promise.allSettled(
    Array.from({ length: 400 }, (_, nth) => requireStrong(`uma frase que ninguem adivinha ${nth}`, ana))
  )
  const refused = answers.filter((answer) => answer.status === 'rejected')
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.length).toBeLessThan(400)
  for (const { reason } of refused) expect((reason as Problem).code).toBe('overloaded')
})
