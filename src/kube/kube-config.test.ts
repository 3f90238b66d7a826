import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../common/clock.ts'
import { Credentials } from './credentials.ts'
import { KubeConfigError, loadKubeConfig } from './kube-config.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'))
  path = join(folder, 'config')
})

afterEach(() => rmSync(folder, { recursive: true }))

function write(user: object, cluster: object = {}): void {
  const config = {
    'current-context': 'here',
    contexts: [
      { name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } },
      { name: 'bare', context: { cluster: 'c' } },
    ],
    clusters: [{ name: 'c', cluster: { server: 'https://host:6443', ...cluster } }],
    users: [{ name: 'u', user }],
  }
  writeFileSync(path, JSON.stringify(config))
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('loadKubeConfig', () => {
  it('reads certificates inline and beside the file', () => {
    writeFileSync(join(folder, 'ca.pem'), 'CA')
    write(
      { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') },
      { 'certificate-authority': 'ca.pem', 'tls-server-name': 'other', 'proxy-url': 'http://proxy' },
    )
    expect(loadKubeConfig({ path })).toEqual({
      server: 'https://host:6443',
      tls: { ca: 'CA', cert: 'CERT', key: 'KEY', servername: 'other' },
      user: { kind: 'static', headers: {} },
      proxyUrl: 'http://proxy',
      namespace: 'shop',
    })
  })

  it.each([
    { name: 'a token', user: { token: 't' }, headers: { authorization: 'Bearer t' } },
    { name: 'a password', user: { username: 'u', password: 'p' }, headers: { authorization: 'Basic dTpw' } },
    { name: 'somebody to act as', user: { as: 'eve' }, headers: { 'impersonate-user': 'eve' } },
  ])('takes $name', ({ user, headers }) => {
    write(user)
    expect(loadKubeConfig({ path }).user).toEqual({ kind: 'static', headers })
  })

  it('knows the other contexts, and none of a user', () => {
    write({ token: 't' })
    expect(loadKubeConfig({ path, context: 'bare' }).user).toEqual({ kind: 'static', headers: {} })
  })

  it("reads a pod's service account", () => {
    for (const [name, text] of Object.entries({ 'ca.crt': 'CA', token: 'T', namespace: 'ns\n' })) {
      writeFileSync(join(folder, name), text)
    }
    expect(loadKubeConfig({ inCluster: { host: 'fd00::1', port: '443', folder } })).toEqual({
      server: 'https://[fd00::1]:443',
      tls: { ca: 'CA' },
      user: { kind: 'tokenFile', path: join(folder, 'token'), headers: {} },
      namespace: 'ns',
    })
  })

  it.each([
    { name: 'no file', text: undefined, want: /cannot read .*config: ENOENT/ },
    { name: 'no YAML', text: 'a: [', want: /is no YAML/ },
    { name: 'no context', text: '{}', want: /no current-context/ },
    { name: 'an unknown context', text: 'current-context: x', want: /no 'x' in contexts/ },
  ])('says what is wrong with $name', ({ text, want }) => {
    if (text !== undefined) writeFileSync(path, text)
    expect(() => loadKubeConfig({ path })).toThrow(KubeConfigError)
    expect(() => loadKubeConfig({ path })).toThrow(want)
  })
})

it('asks an exec plugin, once for many requests', async () => {
  const count = join(folder, 'count')
  const credential = {
    kind: 'ExecCredential',
    apiVersion: 'client.authentication.k8s.io/v1',
    status: { token: 'T' },
  }
  const script = `echo x >> ${count}; echo '${JSON.stringify(credential)}'`
  write({ exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] } })
  const credentials = new Credentials({ clock: new SystemClock() }, loadKubeConfig({ path }))
  const identities = await Promise.all(Array.from({ length: 8 }, async () => credentials.current()))
  expect(identities.map(({ headers }) => headers.authorization)).toEqual(
    Array.from({ length: 8 }, () => 'Bearer T'),
  )
  expect(readFileSync(count, 'utf8')).toBe('x\n')
})
