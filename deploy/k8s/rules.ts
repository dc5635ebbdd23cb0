import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dir, '..', 'prometheus', 'rules')

/** Where the rules stand as the Prometheus Operator takes them. */
export const FILE = join(import.meta.dir, 'overlays', 'production', 'rules.yml')

/** In the cluster a backup lies in a volume that nothing scrapes, so the job that made it tells, by kube-state-metrics. */
const LAST_BACKUP = 'kube_cronjob_status_last_successful_time{namespace="healthmed", cronjob="backup"}'

/** The rules of deploy/prometheus/rules as one PrometheusRule. */
export function rulesResource(): string {
  const groups = readdirSync(folder)
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .map((text) => text.replaceAll('healthmed_backup_finished_seconds', LAST_BACKUP))
    .map((text) => text.slice(text.indexOf('groups:') + 'groups:\n'.length).replace(/^(?=.)/gm, '  '))
  return `# Made by \`bun deploy/k8s/rules.ts\` from deploy/prometheus/rules.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: healthmed
spec:
  groups:
${groups.join('').trimEnd()}
`
}

if (import.meta.main) await Bun.write(FILE, rulesResource())
