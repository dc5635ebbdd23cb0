import { Elysia } from 'elysia'
import { docs } from '#platform/docs/docs'
import { http, problems } from '#platform/http/app'
import type { Verify } from '#platform/identity/caller'
import type { Service } from '../routes.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import { assets } from './assets.ts'
import { documents } from './documents.ts'
import { health } from './health.ts'
import { landing } from './landing.ts'
import { mailLinks } from './mail-links.ts'
import { opsPage, opsState } from './ops.ts'
import { problemPages } from './problems.ts'

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
