import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '#platform/setup/ports'
import { eventually, signer } from '#platform/testing/testing'
import { authOf, type Echo, type Process, startGateway } from '../../gateway/testing/testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'healthmed-proxy-'))
const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
let services: ReturnType<typeof authOf>
let gateway: Process
let bearer: string

beforeAll(async () => {
  const signed = await signer()
  bearer = await signed.bearer({ role: 'patient' })
  services = authOf(signed)
  gateway = await startGateway(services.url, { RATE_LIMIT: 'on', TRUSTED_PROXIES: '127.0.0.1,::1', PUBLIC_URL: 'https://clinic.example' })
  const names = ['-subj', '/CN=clinic.example', '-addext', 'subjectAltName=DNS:clinic.example']
  Bun.spawnSync(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, ...names])
})
afterAll(async () => {
  await gateway.stop()
  await services.stop()
  rmSync(folder, { recursive: true })
})

const read = (name: string) => readFileSync(join(import.meta.dir, name), 'utf8').replaceAll('127.0.0.1:8080', new URL(gateway.url).host)

/** The examples as they are, but for ports, certificate and where the proxy keeps its own files. */
const proxies = {
  nginx: (http: number, https: number) => {
    const site = read('nginx.conf')
      .replaceAll(/listen (\[::\]:)?80;/g, `listen $1${http};`)
      .replaceAll(/listen (\[::\]:)?443 /g, `listen $1${https} `)
      .replaceAll('/etc/healthmed', folder)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${folder}/${what};`).join(' ')
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;\nevents {}\nhttp { access_log off; ${temporary}\n${site}}\n`
    )
    return ['nginx', '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')]
  },
  caddy: (http: number, https: number) => {
    const site = read('Caddyfile').replace(/^.*# for a certificate of your own: .*$/m, `\ttls ${certificate} ${key}`)
    const ports = `{\n\thttp_port ${http}\n\thttps_port ${https}\n\tadmin off\n\tskip_install_trust\n}\n`
    writeFileSync(join(folder, 'Caddyfile'), ports + site)
    return ['caddy', 'run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile']
  }
}

/** Calls through the proxy as a client at an address of its own. */
function curl(port: number, address: string, path: string, ...more: string[]) {
  const name = ['--cacert', certificate, '--resolve', `clinic.example:${port}:127.0.0.1`]
  return Bun.spawn(['curl', '-sS', '-N', '-i', '--interface', address, ...name, ...more, `https://clinic.example:${port}${path}`], {
    stdout: 'pipe',
    stderr: 'ignore'
  })
}
const answerOf = async (child: ReturnType<typeof curl>) => (await new Response(child.stdout).text()).split('\r\n\r\n') as [string, string]
const leftOf = (head: string) => Number(/^ratelimit: .*r=(\d+)/im.exec(head)?.[1])

for (const [name, prepare] of Object.entries(proxies)) {
  describe.if(Bun.which(name) !== null && Bun.which('curl') !== null)(`behind ${name}`, () => {
    const port = freePort()
    let proxy: ReturnType<typeof Bun.spawn>
    beforeAll(async () => {
      const own = { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
      const env = { PATH: process.env.PATH ?? '', HOME: folder, ...own }
      proxy = Bun.spawn(prepare(freePort(), port), { env, stdout: 'ignore', stderr: 'ignore' })
      await eventually(async () => (await answerOf(curl(port, '127.0.0.1', '/health')))[0].startsWith('HTTP/2 200'))
    })
    afterAll(async () => {
      proxy.kill('SIGTERM')
      await proxy.exited
    })

    test('the client is the real one, whatever it claims, and each has a rate limit of its own', async () => {
      const [ana, rui] = name === 'nginx' ? ['127.0.0.11', '127.0.0.12'] : ['127.0.0.21', '127.0.0.22']
      const first = await answerOf(curl(port, ana, '/v1/specialties', '-H', 'X-Forwarded-For: 192.0.2.1'))
      expect((JSON.parse(first[1]) as Echo).headers['x-forwarded-for']).toBe(ana)
      const second = await answerOf(curl(port, ana, '/v1/specialties', '-H', 'X-Forwarded-For: 192.0.2.2'))
      const other = await answerOf(curl(port, rui, '/v1/specialties'))
      expect((JSON.parse(other[1]) as Echo).headers['x-forwarded-for']).toBe(rui)
      expect(leftOf(second[0])).toBe(leftOf(first[0]) - 1)
      expect(leftOf(other[0])).toBe(leftOf(first[0]))
      expect(first[0].match(/^strict-transport-security:/gim)).toHaveLength(1)
    })

    test('a part of an event stream comes while the stream is open', async () => {
      const stream = curl(port, '127.0.0.1', '/v1/events', '-H', `authorization: ${bearer}`)
      let said = ''
      for await (const chunk of stream.stdout) {
        said += new TextDecoder().decode(chunk)
        if (said.includes(': here')) break
      }
      expect(said).toContain('text/event-stream')
      expect(said).toContain(': here')
      expect(stream.exitCode).toBeNull()
      stream.kill()
      await stream.exited
    })
  })
}
