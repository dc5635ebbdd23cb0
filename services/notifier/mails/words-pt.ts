import { longDate, shortDate, timeOfDay } from './dates.ts'
import { appointmentFacts, offerFacts, quoted } from './facts.ts'
import { linkOf } from './links.ts'
import type { Content, Facts, Template } from './model.ts'

const at = ({ appointment }: Facts) => (appointment ? shortDate(appointment.start, appointment.timezone, 'pt-BR') : '')
const other = ({ you, doctor, patient }: Facts) => (you.role === 'doctor' ? patient : doctor)
const did = (facts: Facts, verb: 'cancelou' | 'remarcou', done: string) => {
  if (facts.by === 'you') return `Você ${verb} a consulta com ${other(facts)}.`
  return facts.by === 'system' ? `A consulta com ${other(facts)} foi ${done}.` : `${other(facts)} ${verb} a consulta.`
}
const earlier = ({ appointment }: Facts) =>
  appointment?.previousStart ? longDate(appointment.previousStart, appointment.timezone, 'pt-BR') : undefined
const until = (moment: string | undefined, facts: Facts) => (moment ? longDate(moment, facts.you.timezone, 'pt-BR') : '')

function declined(facts: Facts): string[] {
  const [time, isDoctor] = [earlier(facts), facts.you.role === 'doctor']
  if (isDoctor) {
    const what = time ? `Você recusou o novo horário pedido por ${facts.patient}.` : `Você recusou a consulta pedida por ${facts.patient}.`
    return [what, time ? freed(time) : free]
  }
  return time
    ? [`${facts.doctor} não pode atender no novo horário.`, gone(time)]
    : [`${facts.doctor} não pode atender neste horário.`, again]
}

function expired(facts: Facts): string[] {
  const time = earlier(facts)
  if (facts.you.role === 'doctor') return [`O pedido de ${facts.patient} expirou sem resposta.`, time ? freed(time) : free]
  return [`Seu pedido de consulta com ${facts.doctor} não teve resposta a tempo.`, time ? gone(time) : again]
}

const free = 'O horário está livre outra vez.'
const again = 'Escolha outro horário no Health&Med.'
const freed = (time: string) => `${free} O horário anterior, ${time}, já tinha sido liberado quando a consulta foi remarcada.`
const gone = (time: string) =>
  `O horário anterior, ${time}, foi liberado quando a consulta foi remarcada e não está mais reservado para você. ${again}`

/** What each mail says, in Brazilian Portuguese. No specialty, reason of the visit or other health fact in a subject. */
export const portuguese: Record<Template, (facts: Facts) => Content> = {
  appointment_requested: (facts) => ({
    subject: `Consulta solicitada: ${at(facts)}`,
    heading: 'Consulta solicitada',
    paragraphs:
      facts.you.role === 'doctor'
        ? [
            `${facts.patient} pediu uma consulta com você.`,
            'O horário fica reservado até a sua resposta: confirme ou recuse no Health&Med.'
          ]
        : [`Seu pedido de consulta com ${facts.doctor} foi recebido.`, 'O horário está reservado. Avisaremos assim que houver resposta.'],
    facts: appointmentFacts(facts)
  }),
  appointment_confirmed: (facts) => ({
    subject: `Consulta confirmada: ${at(facts)}`,
    heading: 'Consulta confirmada',
    paragraphs: [`Sua consulta com ${other(facts)} está confirmada.`, 'O convite em anexo a coloca na sua agenda.'],
    facts: appointmentFacts(facts)
  }),
  appointment_declined: (facts) => ({
    subject: `Consulta recusada: ${at(facts)}`,
    heading: 'Consulta recusada',
    paragraphs: declined(facts),
    facts: appointmentFacts(facts)
  }),
  appointment_cancelled: (facts) => ({
    subject: `Consulta cancelada: ${at(facts)}`,
    heading: 'Consulta cancelada',
    paragraphs: [did(facts, 'cancelou', 'cancelada'), 'O horário está livre outra vez.'],
    facts: appointmentFacts(facts)
  }),
  appointment_rescheduled: (facts) => ({
    subject: `Consulta remarcada: ${at(facts)}`,
    heading: 'Consulta remarcada',
    paragraphs: [
      did(facts, 'remarcou', 'remarcada'),
      facts.appointment?.status === 'confirmed'
        ? 'O novo horário está confirmado.'
        : facts.you.role === 'doctor'
          ? 'O novo horário espera a sua confirmação.'
          : 'O novo horário ainda espera a confirmação. O anterior não está mais reservado para você.'
    ],
    facts: appointmentFacts(facts)
  }),
  appointment_expired: (facts) => ({
    subject: `Pedido de consulta sem resposta: ${at(facts)}`,
    heading: 'Pedido de consulta sem resposta',
    paragraphs: expired(facts),
    facts: appointmentFacts(facts)
  }),
  reminder_24h: (facts) => ({
    subject: `Lembrete: consulta em ${at(facts)}`,
    // no span of time: one that is late would not tell the truth
    heading: 'Sua consulta se aproxima',
    paragraphs: [`Lembramos da sua consulta com ${other(facts)}.`],
    facts: appointmentFacts(facts)
  }),
  reminder_1h: (facts) => ({
    subject: `Lembrete: consulta às ${facts.appointment ? timeOfDay(facts.appointment.start, facts.appointment.timezone, 'pt-BR') : ''}`,
    heading: 'Sua consulta é daqui a pouco',
    paragraphs: [`Lembramos da sua consulta com ${other(facts)}.`],
    facts: appointmentFacts(facts)
  }),
  waitlist_offered: (facts) => ({
    subject: 'Um horário ficou livre para você',
    heading: 'Um horário ficou livre',
    paragraphs: [
      `${facts.doctor} tem um horário no período que você espera.`,
      `Ele fica guardado para você até ${until(facts.offer?.expiresAt, facts)}. Marque a consulta no Health&Med antes disso.`
    ],
    facts: offerFacts(facts)
  }),
  verify_email: (facts) => ({
    subject: 'Confirme seu e-mail',
    heading: 'Confirme seu e-mail',
    paragraphs: [
      'Olá! Para usar o Health&Med, confirme que este endereço é seu.',
      `O link vale até ${until(facts.account.expiresAt, facts)}. Se não foi você quem se cadastrou, ignore esta mensagem.`
    ],
    action: { label: 'Confirmar e-mail', codeLabel: 'Ou informe este código:', ...linkOf(facts, 'verify-email') }
  }),
  verify_new_email: (facts) => ({
    subject: 'Confirme seu novo e-mail',
    heading: 'Confirme seu novo e-mail',
    paragraphs: [
      'Foi pedido que este endereço passe a ser o de uma conta no Health&Med. Confirme que ele é seu.',
      `O link vale até ${until(facts.account.expiresAt, facts)}. Se não foi você quem pediu, ignore esta mensagem.`
    ],
    action: { label: 'Confirmar e-mail', codeLabel: 'Ou informe este código:', ...linkOf(facts, 'verify-email') }
  }),
  email_changing: () => ({
    subject: 'Pedido de troca de e-mail',
    heading: 'Pedido de troca de e-mail',
    paragraphs: [
      'Foi pedida a troca do endereço de e-mail da sua conta. Ele muda quando o novo endereço for confirmado.',
      'Se não foi você, escolha já uma nova senha com a opção "Esqueci minha senha": isso cancela o pedido.'
    ]
  }),
  password_reset: (facts) => ({
    subject: 'Redefinir sua senha',
    heading: 'Redefinir sua senha',
    paragraphs: [
      'Recebemos um pedido para trocar a senha da sua conta.',
      `O link vale uma única vez, até ${until(facts.account.expiresAt, facts)}. Se não foi você, ignore esta mensagem: a senha continua a mesma.`
    ],
    action: { label: 'Escolher nova senha', codeLabel: 'Ou informe este código:', ...linkOf(facts, 'reset-password') }
  }),
  locked_out: (facts) => ({
    subject: facts.account.resetNeeded ? 'Entrada bloqueada' : 'Entrada bloqueada por algum tempo',
    heading: facts.account.resetNeeded ? 'Entrada bloqueada' : 'Entrada bloqueada por algum tempo',
    paragraphs: [
      'Houve muitas tentativas de entrar na sua conta com a senha ou o código errado.',
      facts.account.resetNeeded
        ? 'Foram tantas que ninguém entra mais com a senha atual: a conta abre somente depois de você escolher uma nova senha com a opção "Esqueci minha senha".'
        : `Novas tentativas do mesmo lugar ficam bloqueadas até ${until(facts.account.until, facts)}. De outros lugares você entra normalmente.`,
      'Se não foi você, sua senha continua segura. Se a usa em outro lugar, troque-a.',
      'Se você não conseguir mais entrar, escolha uma nova senha com a opção "Esqueci minha senha".'
    ]
  }),
  second_factor_on: () => ({
    subject: 'Verificação em duas etapas ativada',
    heading: 'Verificação em duas etapas ativada',
    paragraphs: [
      'A verificação em duas etapas foi ativada na sua conta. A partir de agora, entrar pede também um código do aplicativo autenticador.',
      'Se não foi você, escolha uma nova senha com a opção "Esqueci minha senha" e fale com a clínica.'
    ]
  }),
  second_factor_off: ({ account: { change, reason } }) => ({
    subject: 'Verificação em duas etapas desativada',
    heading: 'Verificação em duas etapas desativada',
    paragraphs: [
      change === 'voided'
        ? 'Seu endereço de e-mail foi confirmado pela primeira vez. Por segurança, a verificação em duas etapas configurada antes disso foi desativada e todas as sessões foram encerradas.'
        : change === 'reset'
          ? 'A administração do sistema desativou a verificação em duas etapas da sua conta.'
          : 'A verificação em duas etapas da sua conta foi desativada. Entrar pede agora somente a senha.',
      'Você pode ativá-la de novo depois de entrar. Se não pediu isto, escolha uma nova senha com a opção "Esqueci minha senha" e fale com a clínica.'
    ],
    facts: reason ? [['Motivo', quoted(reason)]] : []
  }),
  doctor_approved: (facts) => ({
    subject: 'Seu cadastro foi aprovado',
    heading: 'Seu cadastro foi aprovado',
    paragraphs: [
      facts.you.name ? `Boas-vindas ao Health&Med, ${facts.you.name}.` : 'Boas-vindas ao Health&Med.',
      'Publique seu perfil e seus horários para que pacientes possam marcar consultas.'
    ]
  }),
  doctor_rejected: (facts) => ({
    subject: 'Seu cadastro não foi aprovado',
    heading: 'Seu cadastro não foi aprovado',
    paragraphs: ['Analisamos seu cadastro e não pudemos aprová-lo.'],
    facts: facts.account.reason ? [['Motivo', quoted(facts.account.reason)]] : []
  }),
  account_erased: (facts) => ({
    subject: 'Sua conta foi apagada',
    heading: 'Sua conta foi apagada',
    paragraphs: [
      `${facts.you.name ? `${facts.you.name}, seus` : 'Seus'} dados pessoais foram apagados do Health&Med, como você pediu.`,
      'Consultas futuras foram canceladas e a outra parte foi avisada. Esta é a última mensagem que enviamos.'
    ]
  })
}
