import { type Code, problemCatalog } from '#platform/http/problem'
import type { Language } from './words.ts'

/** The Portuguese title of each code. English is the title in the catalog itself. */
const portuguese: Record<Code, string> = {
  malformed_json: 'O corpo da requisição não é um JSON válido',
  bad_request: 'Não foi possível entender a requisição',
  unauthenticated: 'É preciso entrar (falta o token de acesso)',
  token_expired: 'O token de acesso expirou',
  token_revoked: 'A sessão deste token foi encerrada',
  token_invalid: 'O token não é válido',
  mail_token_invalid: 'O token é desconhecido, já foi usado ou expirou',
  refresh_reused: 'O token de renovação já tinha sido usado; a sessão foi encerrada',
  invalid_credentials: 'O identificador ou a senha está errado',
  mfa_invalid: 'O código está errado ou já foi usado',
  forbidden: 'O seu perfil não permite isto',
  email_not_verified: 'Confirme primeiro o seu e-mail',
  mfa_enrolment_required: 'Sua função exige a verificação em duas etapas; ative-a primeiro',
  account_disabled: 'Esta conta está desativada',
  not_found: 'Não há nada aqui',
  doctor_not_found: 'Este médico não foi encontrado',
  appointment_not_found: 'Esta consulta não foi encontrada',
  method_not_allowed: 'Este endereço não aceita este método',
  email_taken: 'Já existe uma conta com este e-mail',
  cpf_taken: 'Já existe uma conta com este CPF',
  crm_taken: 'Já existe uma conta com este CRM',
  slot_taken: 'Outra pessoa já tem este horário',
  patient_conflict: 'O paciente tem outra consulta neste horário',
  invalid_transition: 'O estado da consulta não permite isto',
  too_late: 'O prazo para isto já passou',
  hold_expired: 'A reserva do horário expirou',
  hold_limit: 'Você já tem um horário reservado',
  booking_limit: 'Você tem consultas em aberto demais',
  idempotency_in_progress: 'A primeira requisição com esta chave ainda está em andamento',
  conflict: 'O estado do recurso não permite isto',
  version_conflict: 'A consulta mudou desde a versão que você indicou',
  body_too_large: 'O corpo da requisição pode ter no máximo 64 KiB',
  unsupported_media_type: 'Envie application/json',
  validation_failed: 'Alguns campos não são válidos',
  weak_password: 'A senha é fácil de adivinhar',
  invalid_cpf: 'Este CPF não é válido',
  invalid_crm: 'Este CRM não é válido',
  schedule_overlap: 'Dois períodos da agenda se sobrepõem',
  invalid_window: 'Um período precisa terminar depois de começar',
  invalid_timezone: 'Este não é um fuso horário da IANA',
  range_too_long: 'O intervalo é longo demais',
  slot_unavailable: 'O médico não oferece este horário',
  idempotency_key_reused: 'Esta chave já foi usada com outro corpo',
  rate_limited: 'Requisições demais',
  too_many_attempts: 'Tentativas erradas demais',
  internal_error: 'Algo deu errado do nosso lado',
  upstream_unavailable: 'O serviço não está acessível no momento',
  overloaded: 'Há trabalho demais no momento',
  upstream_timeout: 'O serviço demorou demais para responder'
}

type Advice = Record<Language, string>

/** What a person can do about a problem of a status. */
const adviceByStatus: Record<number, Advice> = {
  400: { en: 'Correct the request and send it again.', 'pt-BR': 'Corrija a requisição e envie outra vez.' },
  401: { en: 'Sign in again.', 'pt-BR': 'Entre outra vez.' },
  403: {
    en: 'Sign in with an account that may do this, or ask your clinic.',
    'pt-BR': 'Entre com uma conta que possa fazer isto, ou fale com a clínica.'
  },
  404: {
    en: 'Check the address. What you look for may have been removed.',
    'pt-BR': 'Confira o endereço. O que você procura pode ter sido removido.'
  },
  405: { en: 'Look up the call in the API documents.', 'pt-BR': 'Procure a chamada na documentação da API.' },
  409: { en: 'Load the current state, then decide again.', 'pt-BR': 'Carregue o estado atual e decida de novo.' },
  412: { en: 'Load the current state, then decide again.', 'pt-BR': 'Carregue o estado atual e decida de novo.' },
  413: { en: 'Send less in one request.', 'pt-BR': 'Envie menos em cada requisição.' },
  415: { en: 'Set the header Content-Type and send the request again.', 'pt-BR': 'Ajuste o cabeçalho Content-Type e envie outra vez.' },
  422: {
    en: 'Correct the fields named in the answer and send it again.',
    'pt-BR': 'Corrija os campos indicados na resposta e envie outra vez.'
  },
  429: {
    en: 'Wait as many seconds as the header Retry-After says, then try again.',
    'pt-BR': 'Espere os segundos indicados no cabeçalho Retry-After e tente de novo.'
  },
  500: {
    en: 'Try again in a moment. If it happens again, tell your clinic.',
    'pt-BR': 'Tente de novo daqui a pouco. Se acontecer outra vez, avise a clínica.'
  },
  503: { en: 'Try again in a few seconds. Nothing was lost.', 'pt-BR': 'Tente de novo em alguns segundos. Nada se perdeu.' },
  504: {
    en: 'Look first whether it happened all the same, then try again.',
    'pt-BR': 'Veja primeiro se a operação foi feita mesmo assim; depois tente de novo.'
  }
}

/** What a person can do, where a code has a better answer than its status. */
const adviceByCode: Partial<Record<Code, Advice>> = {
  email_not_verified: {
    en: 'Open the link in the email that we sent you, or ask for a new one.',
    'pt-BR': 'Abra o link no e-mail que enviamos, ou peça um novo.'
  },
  mail_token_invalid: { en: 'Ask for a new email.', 'pt-BR': 'Peça um novo e-mail.' },
  account_disabled: { en: 'Ask your clinic.', 'pt-BR': 'Fale com a clínica.' },
  email_taken: { en: 'Sign in, or choose a new password by email.', 'pt-BR': 'Entre, ou escolha uma nova senha por e-mail.' },
  cpf_taken: { en: 'Sign in, or choose a new password by email.', 'pt-BR': 'Entre, ou escolha uma nova senha por e-mail.' },
  slot_taken: { en: 'Choose another slot.', 'pt-BR': 'Escolha outro horário.' },
  slot_unavailable: { en: 'Choose a slot from the list of free slots.', 'pt-BR': 'Escolha um horário da lista de horários livres.' },
  patient_conflict: { en: 'Choose a time at which the patient is free.', 'pt-BR': 'Escolha um horário em que o paciente esteja livre.' },
  hold_expired: {
    en: 'Look whether the slot is still free and take it again.',
    'pt-BR': 'Veja se o horário ainda está livre e reserve de novo.'
  },
  weak_password: {
    en: 'Choose a longer or less common one. A few words in a row work well.',
    'pt-BR': 'Escolha uma mais longa ou menos comum. Algumas palavras em sequência funcionam bem.'
  },
  too_late: { en: 'Call the clinic.', 'pt-BR': 'Telefone para a clínica.' }
}

/** One code as a person reads it. `token_invalid` stands at two statuses and so has two titles. */
export type ProblemText = { code: string; statuses: number[]; titles: string[]; advice: string[] }

/** Every code in one language, in the order of their statuses. */
export const problemTexts = (language: Language): ProblemText[] =>
  [...Map.groupBy(problemCatalog, ({ code }) => code)].map(([code, found]) => ({
    code,
    statuses: found.map(({ status }) => status),
    titles: found.map(({ key, title }) => (language === 'pt-BR' ? portuguese[key] : title)),
    advice: [...new Set(found.map(({ key, status }) => (adviceByCode[key] ?? adviceByStatus[status] ?? { en: '', 'pt-BR': '' })[language]))]
  }))
