import { Elysia, t } from 'elysia'
import { bearer } from '#platform/caller'
import { LocalDate, PageOf, PageQuery, queryInteger, Uuid } from '#platform/schema'
import type { Needs } from '../app.ts'
import { readDoctor, searchDoctors } from './directory.ts'
import { Doctor, Profile, ProfileWish } from './model.ts'
import { readProfile, writeProfile } from './profile.ts'
import { specialties } from './specialties.ts'

const Specialty = t.Object({ code: t.String(), namePt: t.String(), nameEn: t.String() })

/** The directory, open to all, and a doctor's own profile. */
export const doctorRoutes = (needs: Needs) =>
  new Elysia({ name: 'doctors' })
    .use(profileRoutes(needs))
    .get('/v1/specialties', () => ({ items: [...specialties], nextCursor: null }), {
      response: { 200: PageOf(Specialty) },
      detail: { summary: 'The 55 recognised specialties', tags: ['Doctors'] }
    })
    .get('/v1/doctors', ({ query }) => searchDoctors(needs.sql, query, needs.clock()), {
      query: t.Object({
        specialty: t.Optional(t.String({ maxLength: 64 })),
        q: t.Optional(t.String({ maxLength: 100 })),
        maxPrice: t.Optional(queryInteger(0, 100_000_000, { path: '/maxPrice', examples: ['40000'] })),
        availableFrom: t.Optional(LocalDate),
        availableTo: t.Optional(LocalDate),
        sort: t.Optional(t.Union([t.Literal('next_slot'), t.Literal('price'), t.Literal('name')])),
        ...PageQuery
      }),
      response: { 200: PageOf(Doctor) },
      detail: { summary: 'Find doctors', tags: ['Doctors'], 'x-problems': ['range_too_long'] } as object
    })
    .get('/v1/doctors/:id', ({ params }) => readDoctor(needs.sql, params.id, needs.clock()), {
      params: t.Object({ id: Uuid }),
      response: { 200: Doctor },
      detail: { summary: 'One doctor', tags: ['Doctors'], 'x-problems': ['doctor_not_found'] } as object
    })

const profileRoutes = ({ sql, verify }: Needs) =>
  new Elysia({ name: 'profile', prefix: '/v1/doctors/me' })
    .use(bearer(verify, 'doctor'))
    .get('/profile', ({ who }) => readProfile(sql, who), {
      response: { 200: Profile },
      detail: { summary: 'My profile', tags: ['Practice'] }
    })
    .put('/profile', ({ body, who }) => writeProfile(sql, who, body), {
      body: ProfileWish,
      response: { 200: Profile },
      detail: { summary: 'Replace my profile', tags: ['Practice'], 'x-problems': ['invalid_timezone'] } as object
    })
