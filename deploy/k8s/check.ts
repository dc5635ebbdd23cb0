import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILE, rulesResource } from './rules.ts'

/*
 * `bun deploy/k8s/check.ts`: builds both overlays with kubectl and looks whether the rules of this project hold in what would be applied.
 * Ends with 1 and names every fault where one does not.
 */
type Container = {
  name: string
  image: string
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  securityContext?: { allowPrivilegeEscalation?: boolean; readOnlyRootFilesystem?: boolean; capabilities?: { drop?: string[] } }
  readinessProbe?: unknown
  livenessProbe?: unknown
  env?: { name: string; value?: string }[]
}
type PodSpec = {
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } }
  automountServiceAccountToken?: boolean
  containers: Container[]
  initContainers?: Container[]
}
type Resource = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  spec?: Record<string, never>
}

const services = ['gateway', 'auth', 'scheduling', 'notifier']
const packages: Record<string, string> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'postgresql.cnpg.io': '@kubernetes-models/cloudnative-pg'
}
const faults: string[] = []
const must = (right: unknown, fault: string) => void (right || faults.push(fault))

for (const overlay of ['small', 'production']) {
  const { stdout, stderr, exitCode } = Bun.spawnSync(['kubectl', 'kustomize', join(import.meta.dir, 'overlays', overlay)])
  must(exitCode === 0, `${overlay}: ${stderr}`)
  const resources = [Bun.YAML.parse(stdout.toString())].flat() as Resource[]
  const of = (kind: string) => resources.filter((resource) => resource.kind === kind)
  const named = (kind: string, name: string) => of(kind).find(({ metadata }) => metadata.name === name)
  const where = (resource: Resource) => `${overlay}: ${resource.kind} ${resource.metadata.name}`

  for (const resource of resources) {
    if (resource.kind !== 'Namespace') must(resource.metadata.namespace === 'healthmed', `${where(resource)} is in no namespace`)
    await checkSchema(resource, where(resource))
    const pod = podOf(resource)
    if (pod) checkPod(pod, where(resource), resource.kind === 'Deployment')
  }
  must(of('Secret').length === 0, `${overlay}: a secret stands in the repository`)
  for (const name of services) {
    must(named('Deployment', name), `${overlay}: no Deployment ${name}`)
    must(named('Service', name), `${overlay}: no Service ${name}`)
    must(named('PodDisruptionBudget', name), `${overlay}: no PodDisruptionBudget ${name}`)
    const isScaled = named('HorizontalPodAutoscaler', name) ?? named('ScaledObject', name)
    const replicas = (named('Deployment', name)?.spec as { replicas?: number } | undefined)?.replicas
    if (overlay === 'production') must(isScaled && replicas === undefined, `${overlay}: ${name} is not scaled by load, or by two at once`)
  }
  if (overlay === 'production') {
    const trigger = named('TriggerAuthentication', 'rabbitmq')?.spec as unknown as { secretTargetRef: { key: string }[] } | undefined
    must(trigger?.secretTargetRef[0]?.key === 'scaler_rabbitmq_url', `${overlay}: KEDA asks for the broker by a name of another namespace`)
    must(named('NetworkPolicy', 'certificate'), `${overlay}: the certificate's challenge reaches nobody`)
    must(named('ScheduledBackup', 'postgres'), `${overlay}: changes of PostgreSQL are archived on top of nothing`)
  }
  const deny = named('NetworkPolicy', 'deny-all')?.spec as { podSelector: object; policyTypes: string[]; ingress?: unknown } | undefined
  must(
    deny && Object.keys(deny.podSelector).length === 0 && deny.policyTypes.length === 2 && !deny.ingress,
    `${overlay}: traffic is not denied by default`
  )
}
must(
  readFileSync(FILE, 'utf8') === rulesResource(),
  'overlays/production/rules.yml is not what deploy/prometheus/rules says: run bun deploy/k8s/rules.ts'
)

must(
  !rulesResource().includes('healthmed_backup_finished_seconds'),
  'rules.yml: what a backup writes into its folder is scraped by nobody here'
)

const groups = [...rulesResource().matchAll(/^ {4}- name: (\S+)$/gm)].map(([, name]) => name)
must(groups.length > 3 && new Set(groups).size === groups.length, 'rules.yml: Prometheus takes no file in which two groups have one name')

/** Against the schemas of Kubernetes and of the operators; RabbitMQ's has none that is published as a package. */
async function checkSchema(resource: Resource, where: string): Promise<void> {
  const { apiVersion, kind } = resource
  if (kind === 'RabbitmqCluster') return
  const [group = ''] = apiVersion.split('/')
  const source = `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`
  try {
    const { [kind]: Model } = (await import(source)) as Record<string, new (data: object) => { validate: () => void }>
    if (Model) new Model(resource).validate()
    else must(false, `${where} is of an unknown kind`)
  } catch (error) {
    must(false, `${where}: ${(error as Error).message}`)
  }
}

function podOf({ kind, spec }: Resource): PodSpec | undefined {
  const found = spec as unknown as { template?: { spec: PodSpec }; jobTemplate?: { spec: { template: { spec: PodSpec } } } } | undefined
  if (kind === 'Deployment' || kind === 'Job' || kind === 'StatefulSet') return found?.template?.spec
  return kind === 'CronJob' ? found?.jobTemplate?.spec.template.spec : undefined
}

function checkPod(pod: PodSpec, where: string, isServer: boolean): void {
  const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext ?? {}
  must(runAsNonRoot && runAsUser, `${where} may run as root`)
  must(seccompProfile?.type === 'RuntimeDefault', `${where} has no seccomp profile`)
  must(pod.automountServiceAccountToken === false, `${where} gets a token of the cluster's`)
  for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
    const { image, resources, securityContext } = container
    must(/:[\w.-]+$/.test(image) && !image.endsWith(':latest'), `${where} has an image without a version: ${image}`)
    must(
      resources?.requests?.cpu && resources.requests.memory && resources.limits?.cpu && resources.limits.memory,
      `${where} has no limits`
    )
    must(securityContext?.readOnlyRootFilesystem, `${where} may write to its root file system`)
    must(securityContext?.allowPrivilegeEscalation === false, `${where} may gain privileges`)
    must(securityContext?.capabilities?.drop?.includes('ALL'), `${where} keeps capabilities`)
    if (isServer) must(container.readinessProbe && container.livenessProbe, `${where} has no probes`)
    for (const { name, value } of container.env ?? [])
      must(!/PASSWORD$|KEY$|_URL$/.test(name) || !value?.includes('@'), `${where} has a secret in ${name}`)
  }
}

for (const fault of faults) console.log(`✗ ${fault}`)
console.log(faults.length === 0 ? 'Both overlays keep the rules.' : `${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)
