import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }

/*
 * `bun run sbom [FILE]`: what a release is made of, as CycloneDX 1.6 JSON. Read from bun.lock, so that it names what is installed: the dependencies
 * of production and everything that they need, each with version, integrity and licence.
 */
const root = join(import.meta.dir, '..', '..')

type Locked = [
  id: string,
  registry: string,
  needs: {
    dependencies?: Record<string, string>
    optionalDependencies?: Record<string, string>
    peerDependencies?: Record<string, string>
    optionalPeers?: string[]
  },
  integrity: string
]
type Component = { type: string; 'bom-ref': string; name: string; version: string; purl: string; hashes: object[]; licenses?: object[] }

const { packages } = Bun.JSONC.parse(readFileSync(join(root, 'bun.lock'), 'utf8')) as { packages: Record<string, Locked> }

/** A dependency as the package at `path` finds it: its own copy, else one of its parents', else the common one. */
function resolve(path: string[], name: string): string | undefined {
  for (let depth = path.length; depth >= 0; depth--) {
    const key = [...path.slice(0, depth), name].join('/')
    if (packages[key]) return key
  }
  return undefined
}

const components = new Map<string, Component>()
const links = new Map<string, Set<string>>()

function visit(key: string, path: string[]): string {
  const [id, , needs, integrity] = packages[key] as Locked
  const at = id.lastIndexOf('@')
  const [name, version] = [id.slice(0, at), id.slice(at + 1)]
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  if (components.has(purl)) return purl
  components.set(purl, { type: 'library', 'bom-ref': purl, name, version, purl, hashes: hashesOf(integrity), ...licenceOf(key, path) })
  const peers = Object.keys(needs?.peerDependencies ?? {}).filter((peer) => !needs.optionalPeers?.includes(peer))
  links.set(purl, visitAll([...Object.keys({ ...needs?.dependencies, ...needs?.optionalDependencies }), ...peers], [...path, name]))
  return purl
}

const visitAll = (names: string[], path: string[]) =>
  new Set(
    names.flatMap((name) => {
      const key = resolve(path, name)
      return key ? [visit(key, path)] : []
    })
  )

function hashesOf(integrity: string | undefined): object[] {
  const found = /^sha512-(.+)$/.exec(integrity ?? '')
  return found ? [{ alg: 'SHA-512', content: Buffer.from(found[1] ?? '', 'base64').toString('hex') }] : []
}

/** From the installed package; one for another system is not installed here. */
function licenceOf(key: string, path: string[]): { licenses?: object[] } {
  const name = (packages[key] as Locked)[0].replace(/@[^@]+$/, '')
  const places = [
    ...path
      .map((_, index) => [
        'node_modules',
        ...path
          .slice(0, index + 1)
          .join('/node_modules/')
          .split('/'),
        'node_modules',
        name
      ])
      .reverse(),
    ['node_modules', name]
  ]
  for (const place of places) {
    try {
      const { license } = JSON.parse(readFileSync(join(root, ...place, 'package.json'), 'utf8')) as { license?: string }
      if (typeof license === 'string') return { licenses: [licenceWords(license)] }
    } catch {
      // not at this place
    }
  }
  return {}
}

/** An expression, an SPDX id, or whatever words somebody wrote. */
function licenceWords(license: string): object {
  if (/ (OR|AND|WITH) /.test(license)) return { expression: license }
  return { license: /^[\w.+-]+$/.test(license) ? { id: license } : { name: license } }
}

/** The whole document, for a release of this version. */
export function sbom(version = packageJson.version): object {
  const top = visitAll(Object.keys(packageJson.dependencies), [])
  const self = `pkg:npm/${packageJson.name}@${version}`
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    serialNumber: `urn:uuid:${crypto.randomUUID()}`,
    metadata: {
      timestamp: new Date().toISOString(),
      component: {
        type: 'application',
        'bom-ref': self,
        name: packageJson.name,
        version,
        purl: self,
        licenses: [{ license: { id: packageJson.license } }]
      }
    },
    components: [...components.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1)),
    dependencies: [{ ref: self, dependsOn: [...top].sort() }, ...[...links].map(([ref, needs]) => ({ ref, dependsOn: [...needs].sort() }))]
  }
}

if (import.meta.main) {
  const [file] = process.argv.slice(2)
  const text = `${JSON.stringify(sbom(), null, 2)}\n`
  if (file) await Bun.write(file, text)
  else process.stdout.write(text)
}
