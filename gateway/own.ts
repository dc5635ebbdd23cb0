import { Elysia } from 'elysia'
import type { Verify } from '#platform/caller'
import { docs } from '#platform/docs'
import { http, problems } from '#platform/http'
import { documents } from './docs.ts'
import { health } from './health.ts'
import { assets } from './pages/assets.ts'
import { landing } from './pages/landing.ts'
import { mailLinks } from './pages/mail-links.ts'
import { opsPage, opsState } from './pages/ops.ts'
import { problemPages } from './pages/problems.ts'
import type { Service } from './routes.ts'
import type { Upstream } from './upstreams.ts'

/** What the gateway's own document tells of. */
export const describedPages = (upstreams: Record<Service, Upstream>, verify: Verify) =>
  new Elysia(http)
    .use(problems)
    .use(docs('Gateway', 'What the gateway itself answers; every other call it passes on.'))
    .use(health(upstreams))
    .use(problemPages)
    .use(opsState(upstreams, verify))

/** What the gateway answers by itself: health, problems, documents and pages. */
export function ownPages(upstreams: Record<Service, Upstream>, verify: Verify) {
  return new Elysia(http)
    .use(problems)
    .use(health(upstreams))
    .use(problemPages)
    .use(documents(upstreams, describedPages(upstreams, verify)))
    .use(assets)
    .use(landing)
    .use(mailLinks)
    .use(opsPage)
    .use(opsState(upstreams, verify))
}
