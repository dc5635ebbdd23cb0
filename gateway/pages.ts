import { Elysia } from 'elysia'
import { http, problems } from '#platform/http'
import { health } from './health.ts'
import type { Service } from './routes.ts'
import type { Upstream } from './upstreams.ts'

/** What the gateway answers by itself: health, documents and pages. */
export const pages = (upstreams: Record<Service, Upstream>) => new Elysia(http).use(problems).use(health(upstreams))
