// asks for the state every two seconds and draws it; tokens live in this page alone and are gone with it
const root = document.querySelector('#ops')
const words = JSON.parse(root.dataset.words)
const language = root.dataset.language
const form = document.querySelector('#sign-in')
const outcome = document.querySelector('.outcome')
const state = document.querySelector('#state')
const EVERY_MS = 2_000
const TABLES_EVERY = 5
const KEPT = 90

let tokens
let mfaToken
let before
const series = {}

const say = (text, good = false) => {
  outcome.textContent = text
  outcome.dataset.good = good
  outcome.hidden = !text
}

const post = (path, body) => fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

/** Calls with the token, and once more with a new one where it has run out. */
async function call(path, options = {}) {
  const send = () => fetch(path, { ...options, headers: { ...options.headers, authorization: `Bearer ${tokens.accessToken}` } })
  let answer = await send()
  if (answer.status === 401) {
    const renewed = await post('/v1/auth/refresh', { refreshToken: tokens.refreshToken })
    if (!renewed.ok) return leave()
    tokens = await renewed.json()
    answer = await send()
  }
  return answer
}

function leave(text = '') {
  tokens = undefined
  before = undefined
  state.hidden = true
  form.hidden = false
  form.reset()
  say(text)
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { identifier, password, code } = Object.fromEntries(new FormData(form))
  const button = form.querySelector('button')
  button.disabled = true
  try {
    const answer = mfaToken ? await post('/v1/auth/login/mfa', { mfaToken, code }) : await post('/v1/auth/login', { identifier, password })
    const body = await answer.json()
    if (answer.status === 429) return say(words.wait)
    if (!answer.ok) {
      mfaToken = undefined
      form.elements.code.parentElement.hidden = true
      return say(words.wrong)
    }
    if (body.mfaRequired) {
      mfaToken = body.mfaToken
      form.elements.code.parentElement.hidden = false
      return form.elements.code.focus()
    }
    mfaToken = undefined
    if (body.user.role !== 'admin') return say(words.notAdmin)
    tokens = body
    say('')
    form.hidden = true
    state.hidden = false
    turn(0)
  } catch {
    say(words.lost)
  } finally {
    button.disabled = false
  }
})

async function turn(nth) {
  if (!tokens) return
  try {
    const answer = await call('/ops/state')
    if (!answer) return
    if (answer.ok) {
      say('')
      draw(await answer.json())
    } else say(words.lost)
    if (nth % TABLES_EVERY === 0) await Promise.all([drawLetters(), drawMails()])
  } catch {
    say(words.lost)
  }
  setTimeout(() => turn(nth + 1), EVERY_MS)
}

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}
const part = (id) => document.getElementById(id)
const number = (value, digits = 0) => value.toLocaleString(language, { maximumFractionDigits: digits })
const time = (text) => new Date(text).toLocaleString(language, { dateStyle: 'short', timeStyle: 'medium' })
const sum = (list, of) => list.reduce((total, each) => total + (of(each) ?? 0), 0)

function draw(now) {
  const gateway = now.processes[0]
  const seconds = before ? (new Date(now.at) - new Date(before.at)) / 1000 : 0
  const old = before?.processes[0]
  const isNewer = old && seconds > 0 && gateway.startedAt === old.startedAt
  if (!before || seconds > 0) {
    push('requests', isNewer ? (gateway.requests - old.requests) / seconds : undefined)
    push('errors', isNewer ? ((gateway.serverErrors - old.serverErrors) / seconds) * 60 : undefined)
    push('p99', isNewer ? within(gateway.withinSeconds, old.withinSeconds) : undefined)
    push(
      'outbox',
      sum(now.outbox, ({ waiting }) => waiting)
    )
    push(
      'queues',
      sum(now.queues, ({ messages }) => messages)
    )
    push('mails', now.mails?.waiting)
    push('dead', now.deadLetters ?? undefined)
  }
  drawFigures(now)
  drawProcesses(now, isNewer ? before : undefined, seconds)
  before = now
}

function push(name, value) {
  series[name] ??= []
  if (value !== undefined) series[name].push(value)
  if (series[name].length > KEPT) series[name].shift()
}

/** The least bound in ms under which 99 % of the requests since the last look were answered. */
function within(after, earlier) {
  const counts = after.map(([bound, count], nth) => [bound, count - (earlier[nth]?.[1] ?? 0)])
  const all = counts.at(-1)?.[1] ?? 0
  return all > 0 ? counts.find(([, count]) => count >= all * 0.99)[0] * 1000 : undefined
}

function drawFigures(now) {
  const digits = { requests: 1, errors: 1, p99: 1 }
  const isBad = { errors: (value) => value > 0, dead: (value) => value > 0 }
  const figures = Object.entries(words.tiles).map(([name, label]) => {
    const last = series[name].at(-1)
    const text = last === undefined ? '–' : number(last, digits[name] ?? 0) + (name === 'p99' ? ' ms' : '')
    const bad = last !== undefined && isBad[name]?.(last)
    return make(
      'div',
      { className: `figure${bad ? ' bad' : ''}`, id: `figure-${name}` },
      make('span', {}, label),
      make('strong', {}, text),
      spark(series[name])
    )
  })
  const signOut = make(
    'button',
    { type: 'button', onclick: () => call('/v1/auth/logout', { method: 'POST' }).then(() => leave()) },
    words.signOut
  )
  const bar = make('p', { className: 'bar' }, make('span', { className: 'quiet' }, time(now.at)), signOut)
  part('figures').replaceChildren(bar, make('div', { className: 'figures' }, ...figures))
}

function spark(values) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 100 30')
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('aria-hidden', 'true')
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline')
  const top = Math.max(1, ...values)
  line.setAttribute('points', values.map((value, nth) => `${(100 * nth) / (KEPT - 1)},${29 - (28 * value) / top}`).join(' '))
  svg.append(line)
  return svg
}

const cells = (values) => values.map((value) => make('td', {}, value ?? '–'))
function table(heads, rows) {
  const head = make('thead', {}, make('tr', {}, ...heads.map((text) => make('th', { scope: 'col' }, text))))
  return make('div', { className: 'scroll' }, make('table', {}, head, make('tbody', {}, ...rows)))
}

function drawProcesses({ processes }, earlier, seconds) {
  const rows = processes.map((process) => {
    const { service, replica, status, checks, version, startedAt, residentBytes, cpuSeconds, lagSeconds, requests } = process
    const was = earlier?.processes.find((each) => each.service === service && each.replica === replica && each.startedAt === startedAt)
    const away = Object.entries(checks).filter(([, up]) => up !== 'up')
    const missing = away.length > 0 ? `, ${words.missing} ${away.map(([name]) => name).join(', ')}` : ''
    const share = was && seconds > 0 ? `${number(((cpuSeconds - was.cpuSeconds) / seconds) * 100)} %` : undefined
    const several = processes.filter((each) => each.service === service).length > 1
    return make(
      'tr',
      {},
      make('td', {}, several ? `${service} ${replica}` : service),
      make('td', {}, make('span', { className: `dot ${status}` }, words.states[status] + missing)),
      ...cells([
        version,
        startedAt && time(startedAt),
        residentBytes && `${number(residentBytes / 2 ** 20)} MB`,
        share,
        lagSeconds === undefined ? undefined : `${number(lagSeconds * 1000)} ms`,
        requests === undefined ? undefined : number(requests)
      ])
    )
  })
  part('processes').replaceChildren(make('h2', {}, words.processes), table(words.process, rows))
}

async function drawLetters() {
  const answer = await call('/v1/admin/dead-letters?limit=20')
  if (!answer?.ok) return
  const { items } = await answer.json()
  const replay = make('button', { type: 'button' }, words.replay)
  replay.onclick = async () => {
    replay.disabled = true
    const answer = await call('/v1/admin/dead-letters/replay', { method: 'POST' })
    if (answer?.ok) say(`${words.replayed} ${(await answer.json()).replayed}`, true)
    await drawLetters()
  }
  const rows = items.map(({ failedAt, queue, type, reason }) => make('tr', {}, ...cells([time(failedAt), queue, type, reason])))
  const heading = make('div', { className: 'bar' }, make('h2', {}, words.letters), ...(items.length > 0 ? [replay] : []))
  part('letters').replaceChildren(
    heading,
    items.length > 0 ? table(words.letter, rows) : make('p', { className: 'quiet' }, words.noLetters)
  )
}

async function drawMails() {
  const answer = await call('/v1/admin/notifications?limit=15')
  if (!answer?.ok) return
  const { items } = await answer.json()
  const rows = items.map(({ createdAt, sentAt, template, recipient, status, attempts, lastError }) => {
    const shown = make('td', { className: status === 'failed' ? 'bad' : '' }, words.mailStates[status])
    return make('tr', {}, ...cells([time(sentAt ?? createdAt), template, recipient]), shown, ...cells([attempts, lastError]))
  })
  const warning = before?.mails && !before.mails.serverUp ? [make('p', { className: 'bad' }, words.serverDown)] : []
  part('mails').replaceChildren(
    make('h2', {}, words.mails),
    ...warning,
    rows.length > 0 ? table(words.mail, rows) : make('p', { className: 'quiet' }, words.noMails)
  )
}
