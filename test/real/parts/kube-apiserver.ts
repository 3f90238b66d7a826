import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, fetch, Headers, type RequestInit, type Response } from 'undici'
import { Part } from './part.ts'
import { freePort } from './ports.ts'
import { program } from './programs.ts'
import { ADMIN, type User, type UserSpec, writeUsers } from './users.ts'

export interface KubeApiserverOptions {
  readonly dir: string
  readonly etcdUrl: string
  readonly users: readonly UserSpec[]
  readonly extraArgs: readonly string[]
  readonly readyWithinMs: number
}

export interface KubeApiserver {
  readonly url: string
  readonly caFile: string
  readonly admin: User
  readonly users: ReadonlyMap<string, User>
  readonly part: Part
  /** A request as the administrator, unless its headers name another user. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>
}

/** kube-apiserver with RBAC and tokens, without the controllers that a whole cluster would have; not started yet. */
export async function makeKubeApiserver(options: KubeApiserverOptions): Promise<KubeApiserver> {
  const { dir } = options
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const certDir = join(dir, 'certs')
  // It signs its own certificate here when it starts first; with the certificate comes the CA's.
  const caFile = join(certDir, 'apiserver.crt')
  const { tokenFile, users } = writeUsers({ dir, url, caFile, users: [ADMIN, ...options.users] })
  const admin = users.get(ADMIN.name)
  if (admin === undefined) throw new Error('no administrator')

  let agent: Agent | undefined
  const request = (path: string, init: RequestInit = {}) => {
    agent ??= new Agent({ connect: { ca: readFileSync(caFile) }, connections: 4 })
    const headers = new Headers(init.headers)
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${admin.token}`)
    return fetch(`${url}${path}`, { ...init, headers, dispatcher: agent })
  }
  const part = new Part({
    name: 'kube-apiserver',
    program: program('kube-apiserver'),
    args: [...serverArgs({ dir, port, certDir, tokenFile, etcdUrl: options.etcdUrl }), ...options.extraArgs],
    logFile: join(dir, 'kube-apiserver.log'),
    isReady: async () => {
      const response = await request('/readyz', { signal: AbortSignal.timeout(5_000) })
      await response.body?.cancel()
      return response.ok
    },
    readyWithinMs: options.readyWithinMs,
  })
  return { url, caFile, admin, users, part, request }
}

interface ServerPlace {
  readonly dir: string
  readonly port: number
  readonly certDir: string
  readonly tokenFile: string
  readonly etcdUrl: string
}

function serverArgs({ dir, port, certDir, tokenFile, etcdUrl }: ServerPlace): string[] {
  const keyFile = writeServiceAccountKey(dir)
  return [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${certDir}`,
    // Given, so that it does not look for a network interface, which a sandbox may not have.
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/24',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${keyFile}`,
    `--service-account-signing-key-file=${keyFile}`,
    `--token-auth-file=${tokenFile}`,
    '--authorization-mode=RBAC',
    // No controller makes the default service accounts that it would insist on.
    '--disable-admission-plugins=ServiceAccount',
    '--allow-privileged=true',
    '--profiling=false',
    '--v=0',
  ]
}

function writeServiceAccountKey(dir: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const file = join(dir, 'service-account.key')
  // It reads the public half out of the private one.
  writeFileSync(file, privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 })
  return file
}
