/** Who the demo data has. Their password is one for all: this is data to try the system with, on one machine. */
export const DEMO_PASSWORD = 'demo-consulta-2027'

/** A weekday (ISO, 1 is Monday) with one window of hours. */
type Hours = [weekday: number, start: string, end: string][]
/** A doctor with what the public directory shows. `specialty` is the name that CFM gives it. */
export type DemoDoctor = {
  name: string
  email: string
  cpf: string
  crm: string
  specialty: string
  price: number
  timezone: string
  slotMinutes: number
  hours: Hours
  autoConfirm?: boolean
}
/** A patient. */
export type DemoPatient = { name: string; email: string; cpf: string; locale: 'pt-BR' | 'en'; timezone: string }

const everyDay = (start: string, end: string, days = [1, 2, 3, 4, 5]): Hours => days.map((day) => [day, start, end])
const splitDay = (days: number[]): Hours =>
  days.flatMap(
    (day): Hours => [
      [day, '08:00', '12:00'],
      [day, '14:00', '18:00']
    ]
  )

const doctor = (
  [name, email, cpf, crm]: [string, string, string, string],
  [specialty, price, slotMinutes]: [string, number, number],
  zone: string,
  hours: Hours
): DemoDoctor => {
  return { name, email: `${email}@healthmed.example`, cpf, crm, specialty, price, slotMinutes, timezone: `America/${zone}`, hours }
}

/** Twelve doctors over six specialties, from the coast to Acre. */
export const demoDoctors: DemoDoctor[] = [
  doctor(
    ['Helena Duarte', 'helena.duarte', '21604807385', '104512-SP'],
    ['Cardiologia', 42000, 30],
    'Sao_Paulo',
    splitDay([1, 2, 3, 4, 5])
  ),
  doctor(
    ['Caio Albuquerque', 'caio.albuquerque', '21734778202', '20871-PE'],
    ['Cardiologia', 36000, 40],
    'Recife',
    everyDay('07:00', '13:00')
  ),
  doctor(['Marina Tavares', 'marina.tavares', '21864749130', '88340-RJ'], ['Dermatologia', 38000, 30], 'Sao_Paulo', splitDay([2, 4, 6])),
  doctor(
    ['Iracema Nogueira', 'iracema.nogueira', '21994720000', '9127-AM'],
    ['Dermatologia', 29000, 20],
    'Manaus',
    everyDay('08:00', '14:00')
  ),
  doctor(['Otávio Lins', 'otavio.lins', '22124690981', '61208-MG'], ['Pediatria', 27000, 30], 'Sao_Paulo', everyDay('08:00', '17:00')),
  doctor(['Jussara Pontes', 'jussara.pontes', '22254661817', '15633-CE'], ['Pediatria', 24000, 30], 'Fortaleza', splitDay([1, 3, 5])),
  doctor(['Renata Kuhn', 'renata.kuhn', '22384632752', '41790-RS'], ['Psiquiatria', 48000, 50], 'Sao_Paulo', everyDay('10:00', '19:00')),
  doctor(['Davi Macuxi', 'davi.macuxi', '22514603650', '2045-RR'], ['Psiquiatria', 31000, 50], 'Boa_Vista', everyDay('08:00', '12:00')),
  doctor(
    ['Lívia Prado', 'livia.prado', '22644574579', '33518-PR'],
    ['Ortopedia e traumatologia', 39000, 30],
    'Sao_Paulo',
    splitDay([1, 2, 4, 5])
  ),
  doctor(
    ['Tomé Rondon', 'tome.rondon', '22774545404', '7741-MT'],
    ['Ortopedia e traumatologia', 33000, 30],
    'Cuiaba',
    everyDay('07:30', '12:30')
  ),
  doctor(
    ['Clara Medeiros', 'clara.medeiros', '22904516301', '27904-BA'],
    ['Ginecologia e obstetrícia', 35000, 40],
    'Bahia',
    everyDay('08:00', '16:00')
  ),
  {
    ...doctor(
      ['Raimundo Juruá', 'raimundo.jurua', '23034487274', '1326-AC'],
      ['Ginecologia e obstetrícia', 26000, 40],
      'Rio_Branco',
      splitDay([2, 3, 4])
    ),
    autoConfirm: true
  }
]

/** Three patients, one of whom reads English. */
export const demoPatients: DemoPatient[] = [
  { name: 'Ana Beatriz Rocha', email: 'ana.rocha@healthmed.example', cpf: '39063816928', locale: 'pt-BR', timezone: 'America/Sao_Paulo' },
  { name: 'João Pedro Sales', email: 'joao.sales@healthmed.example', cpf: '39074289860', locale: 'pt-BR', timezone: 'America/Manaus' },
  { name: 'Grace Oliveira', email: 'grace.oliveira@healthmed.example', cpf: '39084762754', locale: 'en', timezone: 'America/Fortaleza' }
]

/** Rows for the table of logins: the patients, and of the doctors one of each specialty. */
export function demoLogins(): string[][] {
  const firsts = demoDoctors.filter(({ specialty }, at) => demoDoctors.findIndex((other) => other.specialty === specialty) === at)
  return [
    ...demoPatients.map(({ email }) => ['patient', email, DEMO_PASSWORD]),
    ...firsts.map(({ email, crm, specialty }) => [`doctor, ${specialty}`, `${email} or ${crm}`, DEMO_PASSWORD])
  ]
}
