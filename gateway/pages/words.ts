/** The languages of the pages that patients and doctors see. */
export type Language = 'pt-BR' | 'en'

/** Portuguese where the browser asks for it before English, else English. */
export function languageOf(accepted: string | null): Language {
  const wanted = (accepted ?? '')
    .split(',')
    .map((part) => {
      const [tag = '', quality] = part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*q=/)
      return { tag, quality: quality === undefined ? 1 : Number(quality) }
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .find(({ tag }) => /^(pt|en)\b/.test(tag))
  return wanted?.tag.startsWith('pt') ? 'pt-BR' : 'en'
}

/** The texts of the pages for people, but for those of operations and of problems, which have files of their own. */
export const words = {
  en: {
    landing: {
      title: 'Online booking of medical appointments',
      lead: 'Doctors publish their hours, patients book a free time, nobody is booked twice.',
      tiles: {
        '/docs': ['API documents', 'Every call of the four services, to try from the page'],
        '/docs/json': ['OpenAPI', 'One document of everything, for generators and tools'],
        '/problems': ['Error codes', 'What each one means and what to do'],
        '/ops': ['Operations', 'Processes, queues and emails right now, for administrators'],
        '/health': ['Health', 'Whether everything works at this moment']
      }
    },
    health: {
      title: 'Health of the system',
      at: 'Checked at',
      states: { up: 'Works', degraded: 'Works in part', down: 'Does not work' },
      overall: {
        up: 'Everything works.',
        degraded: 'You can go on. A part of the system does not work as it should.',
        down: 'Booking does not work right now. Try again in a few minutes.'
      },
      parts: { auth: 'Sign-in and accounts', scheduling: 'Search and booking', notifier: 'Emails and reminders' }
    },
    problems: {
      title: 'Error codes',
      lead: 'Every refusal of the API has one of these codes.',
      status: 'Status',
      code: 'Code',
      meaning: 'Meaning',
      todo: 'What to do',
      forPrograms: 'For programs: decide by <code>code</code>. It stays the same, while texts may change.',
      forHelp: 'When you ask for help, give the <code>requestId</code> of the answer. It is in every log line of the request.',
      all: 'All error codes',
      documents: 'API documents',
      unknown: 'There is no such error code.'
    },
    verify: {
      title: 'Confirm your e-mail address',
      lead: 'One press, and your account can book and receive appointments.',
      button: 'Confirm my address',
      done: 'Your e-mail address is confirmed. Now sign in: sessions from before have ended.'
    },
    reset: {
      title: 'Choose a new password',
      lead: 'At least 12 characters. A few words in a row make a good one. Every device will be signed out.',
      password: 'New password',
      repeat: 'The same again',
      button: 'Set the password',
      done: 'Your password is changed. Sign in with the new one.',
      different: 'The two are not the same.'
    },
    token: 'Code from the e-mail',
    refusals: {
      token_invalid: 'This link was used before or is too old. Ask for a new one.',
      weak_password: 'This password is too easy to guess. Choose a longer or less common one.',
      validation_failed: 'That does not look right. Look at what you have typed.',
      rate_limited: 'Too many tries. Wait a minute.',
      other: 'That did not work. Try again in a moment.'
    }
  },
  'pt-BR': {
    landing: {
      title: 'Consultas médicas marcadas pela internet',
      lead: 'Médicos publicam seus horários, pacientes marcam um horário livre, ninguém é marcado duas vezes.',
      tiles: {
        '/docs': ['Documentação da API', 'Todas as chamadas dos quatro serviços, para testar na própria página'],
        '/docs/json': ['OpenAPI', 'Um só documento com tudo, para geradores e ferramentas'],
        '/problems': ['Códigos de erro', 'O que cada um significa e o que fazer'],
        '/ops': ['Operação', 'Processos, filas e e-mails neste momento, para administradores'],
        '/health': ['Situação', 'Se tudo funciona neste momento']
      }
    },
    health: {
      title: 'Situação do sistema',
      at: 'Verificado às',
      states: { up: 'Funciona', degraded: 'Funciona em parte', down: 'Não funciona' },
      overall: {
        up: 'Tudo funciona.',
        degraded: 'Você pode continuar. Uma parte do sistema não funciona como deveria.',
        down: 'As consultas não podem ser marcadas agora. Tente de novo em alguns minutos.'
      },
      parts: { auth: 'Entrada e contas', scheduling: 'Busca e marcação', notifier: 'E-mails e lembretes' }
    },
    problems: {
      title: 'Códigos de erro',
      lead: 'Toda recusa da API traz um destes códigos.',
      status: 'Status',
      code: 'Código',
      meaning: 'Significado',
      todo: 'O que fazer',
      forPrograms: 'Para programas: decida pelo <code>code</code>. Ele não muda; os textos podem mudar.',
      forHelp: 'Ao pedir ajuda, informe o <code>requestId</code> da resposta. Ele está em cada linha de log da requisição.',
      all: 'Todos os códigos de erro',
      documents: 'Documentação da API',
      unknown: 'Este código de erro não existe.'
    },
    verify: {
      title: 'Confirme o seu e-mail',
      lead: 'Um clique e a sua conta pode marcar e receber consultas.',
      button: 'Confirmar o meu e-mail',
      done: 'O seu e-mail está confirmado. Agora entre: as sessões de antes foram encerradas.'
    },
    reset: {
      title: 'Escolha uma nova senha',
      lead: 'Pelo menos 12 caracteres. Algumas palavras em sequência fazem uma boa senha. Todos os aparelhos serão desconectados.',
      password: 'Nova senha',
      repeat: 'A mesma outra vez',
      button: 'Definir a senha',
      done: 'A sua senha foi alterada. Entre com a nova.',
      different: 'As duas não são iguais.'
    },
    token: 'Código do e-mail',
    refusals: {
      token_invalid: 'Este link já foi usado ou é antigo demais. Peça um novo.',
      weak_password: 'Esta senha é fácil de adivinhar. Escolha uma mais longa ou menos comum.',
      validation_failed: 'Algo não está certo. Confira o que você digitou.',
      rate_limited: 'Tentativas demais. Espere um minuto.',
      other: 'Não deu certo. Tente de novo daqui a pouco.'
    }
  }
} as const satisfies Record<Language, unknown>
