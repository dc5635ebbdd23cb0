import { join } from 'node:path'
import { type Dashboard, dashboards, type Panel } from './panels.ts'

const COLUMNS = 3
const [WIDTH, HEIGHT] = [24 / COLUMNS, 8]
const datasource = { type: 'prometheus', uid: 'prometheus' }

const panelOf = ({ title, unit, lines, kind = 'timeseries' }: Panel, index: number) => ({
  id: index + 1,
  title,
  type: kind,
  datasource,
  gridPos: { x: (index % COLUMNS) * WIDTH, y: Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
  fieldConfig: { defaults: { unit, min: kind === 'timeseries' ? 0 : undefined }, overrides: [] },
  targets: lines.map(([expr, legendFormat], at) => ({ refId: String.fromCharCode(65 + at), datasource, expr, legendFormat }))
})

/** A dashboard as Grafana reads it. */
export const jsonOf = ({ uid, title, panels }: Dashboard): string =>
  `${JSON.stringify(
    {
      uid,
      title: `Health&Med: ${title}`,
      tags: ['healthmed'],
      schemaVersion: 39,
      time: { from: 'now-1h', to: 'now' },
      refresh: '10s',
      panels: panels.map(panelOf)
    },
    null,
    2
  )}\n`

/** Where the dashboard of this name is kept. */
export const fileOf = (name: string) => join(import.meta.dir, 'dashboards', `${name}.json`)

if (import.meta.main) for (const [name, dashboard] of Object.entries(dashboards)) await Bun.write(fileOf(name), jsonOf(dashboard))
