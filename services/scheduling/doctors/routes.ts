import { Elysia, t } from 'elysia'
import { about } from '#platform/docs/about'
import { ById, eg, LocalDate, PageOf, PageQuery, queryInteger, SpecialtyCode } from '#platform/http/schema'
import { bearer } from '#platform/identity/caller'
import type { Needs } from '../app.ts'
import { readDoctor, searchDoctors } from '../search/directory.ts'
import { Doctor, Profile, ProfileWish } from './model.ts'
import { readProfile, writeProfile } from './profile.ts'
import { specialties } from './specialties.ts'

const Specialty = t.Object({
  code: eg(SpecialtyCode, 'cardiologia', 'Stable; what doctors and searches name'),
  namePt: t.String({ examples: ['Cardiologia'] }),
  nameEn: t.String({ examples: ['Cardiology'] })
})

/** The directory, open to all, and a doctor's own profile. */
export const doctorRoutes = (needs: Needs) =>
  new Elysia({ name: 'doctors' })
    .use(profileRoutes(needs))
    .get('/v1/specialties', () => ({ items: [...specialties], nextCursor: null }), {
      response: { 200: PageOf(Specialty) },
      detail: about({
        summary: 'The 55 recognised specialties',
        description: 'Those that Brazil’s CFM recognises (Resolução 2.330/2023), with their names in Portuguese and English, in one page.',
        tags: ['Doctors'],
        answer: 'All specialties',
        example: { nextCursor: null }
      })
    })
    .get('/v1/doctors', ({ query }) => searchDoctors(needs.sql, query, needs.clock()), {
      query: t.Object({
        specialty: t.Optional(SpecialtyCode),
        q: t.Optional(
          t.String({ maxLength: 100, examples: ['nogueira'], description: 'Part of the name; capitals and accents do not matter' })
        ),
        maxPrice: t.Optional(
          queryInteger(0, 100_000_000, {
            path: '/maxPrice',
            examples: ['40000'],
            description: 'At most this price, in minor units (cents)'
          })
        ),
        availableFrom: t.Optional(eg(LocalDate, '2027-01-05', 'Only who has a free slot on this day, in the doctor’s zone, or later')),
        availableTo: t.Optional(eg(LocalDate, '2027-01-12', 'Only who has a free slot on this day or before')),
        sort: t.Optional(
          t.Union([t.Literal('next_slot'), t.Literal('price'), t.Literal('name')], {
            description: 'What comes first: who is free soonest (the standard), costs least, or by name'
          })
        ),
        ...PageQuery
      }),
      response: { 200: PageOf(Doctor) },
      detail: about({
        summary: 'Find doctors',
        description:
          'Only doctors who are approved and have published profile and hours. Filters are combined; by `next_slot` who has no free slot comes last. The two dates may be 62 days apart at most.',
        tags: ['Doctors'],
        answer: 'A page of doctors',
        problems: ['range_too_long']
      })
    })
    .get('/v1/doctors/:id', ({ params }) => readDoctor(needs.sql, params.id, needs.clock()), {
      params: ById('doctor'),
      response: { 200: Doctor },
      detail: about({
        summary: 'One doctor',
        description: 'As the search shows them. Who is not approved, has published no hours, or is gone is not found.',
        tags: ['Doctors'],
        answer: 'The doctor',
        problems: ['doctor_not_found']
      })
    })

const profileRoutes = ({ sql, verify }: Needs) =>
  new Elysia({ name: 'profile', prefix: '/v1/doctors/me' })
    .use(bearer(verify, 'doctor'))
    .get('/profile', ({ who }) => readProfile(sql, who), {
      response: { 200: Profile },
      detail: about({
        summary: 'My profile',
        description:
          'With every standard filled in. Before the first `PUT` there are no specialties and no price, and nobody finds the doctor.',
        tags: ['Practice'],
        answer: 'The profile'
      })
    })
    .put('/profile', ({ body, who }) => writeProfile(sql, who, body), {
      body: ProfileWish,
      response: { 200: Profile },
      detail: about({
        summary: 'Replace my profile',
        description:
          'What is left out takes its standard again. It holds for bookings from now on: appointments that are made keep their price, zone and time.',
        tags: ['Practice'],
        answer: 'The profile as it is now',
        problems: ['invalid_timezone']
      })
    })
