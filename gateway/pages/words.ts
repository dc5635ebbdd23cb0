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

/** The texts of the two pages that mails lead to. */
export const words = {
  en: {
    verify: {
      title: 'Confirm your e-mail address',
      lead: 'One press, and your account can book and receive appointments.',
      button: 'Confirm my address',
      done: 'Your e-mail address is confirmed. You can close this page.'
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
    problems: {
      token_invalid: 'This link was used before or is too old. Ask for a new one.',
      weak_password: 'This password is too easy to guess. Choose a longer or less common one.',
      validation_failed: 'That does not look right. Look at what you have typed.',
      rate_limited: 'Too many tries. Wait a minute.',
      other: 'That did not work. Try again in a moment.'
    }
  },
  'pt-BR': {
    verify: {
      title: 'Confirme o seu e-mail',
      lead: 'Um clique e a sua conta pode marcar e receber consultas.',
      button: 'Confirmar o meu e-mail',
      done: 'O seu e-mail está confirmado. Você já pode fechar esta página.'
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
    problems: {
      token_invalid: 'Este link já foi usado ou é antigo demais. Peça um novo.',
      weak_password: 'Esta senha é fácil de adivinhar. Escolha uma mais longa ou menos comum.',
      validation_failed: 'Algo não está certo. Confira o que você digitou.',
      rate_limited: 'Tentativas demais. Espere um minuto.',
      other: 'Não deu certo. Tente de novo daqui a pouco.'
    }
  }
} as const satisfies Record<Language, unknown>
