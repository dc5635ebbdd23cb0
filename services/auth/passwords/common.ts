import { dictionary } from '@zxcvbn-ts/language-common'

/** What Brazilians are known to choose: words of everyday, clubs, names. On their own too short for the policy, so they stand with what is put after them. */
const portuguese =
  `senha senhas minhasenha novasenha senhaforte brasil brasileiro flamengo corinthians palmeiras saopaulo santos vasco gremio
internacional cruzeiro atletico botafogo fluminense mengao timao verdao jesus jesuscristo deus deusefiel deuseamor deusnocomando familia
minhavida meuamor amor amorzinho princesa gatinha gatinho felicidade saudade liberdade esperanca estrela borboleta cachorro chocolate maria
mariana gabriel gabriela rafael rafaela lucas juliana fernanda fernando camila amanda bruna bruno carlos eduardo guilherme gustavo henrique
leonardo matheus pedro ricardo rodrigo thiago vitoria beatriz larissa leticia patricia natalia vanessa janeiro fevereiro setembro outubro
novembro dezembro administrador usuario clinica hospital medico doutor doutora paciente consulta saude`.split(/\s+/)

const endings = [
  '1',
  '12',
  '123',
  '1234',
  '12345',
  '123456',
  '1234567',
  '12345678',
  '123456789',
  '1234567890',
  '@123',
  '@1234',
  '123@',
  '!',
  '123!'
]
const years = Array.from({ length: 60 }, (_, index) => String(1975 + index))

const common = new Set([
  ...dictionary['passwords-common'],
  ...portuguese.flatMap((word) => [word, `${word}${word}`, ...[...endings, ...years].map((ending) => `${word}${ending}`)])
])

/** Whether many people are known to have chosen this password, whatever its letters' case; also one character or one run of keys repeated. */
export function isCommon(password: string): boolean {
  const folded = password.normalize('NFKC').toLowerCase()
  return common.has(folded) || isRepeated(folded) || isRun(folded)
}

/** `aaaaaaaaaaaa`, `abcabcabcabc`, `senhasenhasenha`. */
function isRepeated(word: string): boolean {
  const period = (word + word).indexOf(word, 1)
  return period < word.length && (period <= 4 || common.has(word.slice(0, period)))
}

const rows = ['01234567890123456789', 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiopasdfghjklzxcvbnm', '1qaz2wsx3edc4rfv5tgb6yhn7ujm']
const runs = [...rows, ...rows.map((row) => [...row].reverse().join(''))]

const isRun = (word: string) => runs.some((row) => row.includes(word))
