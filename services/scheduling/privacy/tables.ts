import type { Kept } from '#platform/data/manage-keys'
import { type SealedTable, sealedColumn } from '#platform/data/reseal'
import { type Place, places } from './reasons.ts'

const column = (place: Place) => sealedColumn(place.split('.')[1] as string, 'text', places[place])

/** What scheduling keeps sealed, and for which place. */
export const sealedTables: SealedTable[] = [
  { table: 'appointments', key: 'id', type: 'uuid', columns: [column('appointments.reason'), column('appointments.status_reason')] },
  { table: 'history', key: 'seq', type: 'bigint', contextId: 'appointment_id', columns: [column('history.reason')] },
  { table: 'exceptions', key: 'id', type: 'uuid', columns: [column('exceptions.reason')] }
]

const inBody = (field: string, place: Place) => ({ ...column(place), read: `body->>'${field}'` })

/** With the answers to idempotency keys, which are deleted when their time is over and not sealed anew. */
export const keptSealed: Kept = {
  service: 'scheduling',
  targets: sealedTables,
  passing: [
    {
      table: 'idempotency_keys',
      key: 'key',
      type: 'text',
      columns: [inBody('reason', 'appointments.reason'), inBody('statusReason', 'appointments.status_reason')]
    }
  ]
}
