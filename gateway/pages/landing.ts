import { Elysia } from 'elysia'
import { page } from './html.ts'

/** `/`: where everything is. */
export const landing = new Elysia({ name: 'landing', detail: { hide: true } })
  .get('/', () =>
    page({
      title: 'Health&Med',
      body: `<h1>The booking API is here</h1>
<p class="lead">Doctors publish their hours, patients book free slots, nobody is booked twice.</p>
<ul class="tiles">
<li><a href="/docs"><strong>API documents</strong>Every call of the four services, to be tried from the page</a></li>
<li><a href="/docs/json"><strong>OpenAPI</strong>One document of everything, for generators and tools</a></li>
<li><a href="/problems"><strong>Problems</strong>What each error code means</a></li>
<li><a href="/ops"><strong>Operations</strong>Processes, queues and mails as they are now, for administrators</a></li>
<li><a href="/health"><strong>Health</strong>How the system is at this moment</a></li>
</ul>`
    })
  )
  .get('/favicon.ico', () => new Response(null, { status: 302, headers: { location: '/assets/mark.svg' } }))
