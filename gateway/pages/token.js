// the token comes in the fragment (which no server sees) or in the query, and leaves the address bar at once
const form = document.querySelector('form')
const outcome = document.querySelector('.outcome')
const words = JSON.parse(form.dataset.words)
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? new URLSearchParams(location.search).get('token')
if (token) {
  form.elements.token.value = token
  form.querySelector('[data-token]').hidden = true
  history.replaceState(null, '', location.pathname)
}

const say = (text, good) => {
  outcome.textContent = text
  outcome.dataset.good = good
  outcome.hidden = false
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { repeat, ...body } = Object.fromEntries(new FormData(form))
  if (repeat !== undefined && repeat !== body.newPassword) return say(words.different, false)
  const button = form.querySelector('button')
  button.disabled = true
  try {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(form.dataset.action, { method: 'POST', headers, body: JSON.stringify(body) })
    if (answer.ok) {
      form.hidden = true
      return say(words.done, true)
    }
    const { code } = await answer.json()
    say(words[code] ?? words.other, false)
  } catch {
    say(words.other, false)
  }
  button.disabled = false
})
