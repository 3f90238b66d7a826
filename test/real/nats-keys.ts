import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { issueServerCertificate } from '../../src/nats-keys/certificates.ts'
import type { NatsMaterial } from './parts/chart-nats.ts'
import type { ControlPlane } from './parts/control-plane.ts'
import { ask } from './requests.ts'
import { MAIN } from './service-process.ts'

const YEAR_MS = 365 * 24 * 3600_000

const withData = z.looseObject({ data: z.record(z.string(), z.string()) })

/** What `kilonova nats-keys` makes in a control plane, and as files the way volumes show it to Pods. */
export class NatsKeys {
  readonly #plane: ControlPlane
  readonly #namespace: string
  readonly #dir: string

  constructor(
    plane: ControlPlane,
    options: { readonly namespace: string /** For the files. */; readonly dir: string },
  ) {
    this.#plane = plane
    this.#namespace = options.namespace
    this.#dir = options.dir
  }

  /** Runs `kilonova nats-keys`; its log. */
  async make(kubeconfig: string, more: readonly string[] = []): Promise<string> {
    const args = ['nats-keys', '--namespace', this.#namespace, '--dns-names', '127.0.0.1,localhost', ...more]
    const { stderr } = await promisify(execFile)(process.execPath, [
      MAIN,
      ...args,
      '--kubeconfig',
      kubeconfig,
    ])
    return stderr
  }

  /** Gives the servers a certificate of the same authority that is soon to end. */
  async makeOldCertificate(nowMs: number): Promise<void> {
    const { 'tls.crt': cert = '', 'tls.key': key = '' } = await this.entries(
      'secrets',
      'kilonova-nats-ca-key',
    )
    const old = issueServerCertificate({ cert, key }, ['127.0.0.1', 'localhost'], nowMs - 4 * YEAR_MS)
    const path = `/api/v1/namespaces/${this.#namespace}/secrets/kilonova-nats-server`
    const body = { stringData: { 'tls.crt': old.cert, 'tls.key': old.key } }
    const { status, message } = await ask(this.#plane, {}, { method: 'PATCH', path, body })
    if (status !== 200) throw new Error(`the Secret was not changed: ${message}`)
  }

  async entries(kind: 'secrets' | 'configmaps', name: string): Promise<Record<string, string>> {
    const path = `/api/v1/namespaces/${this.#namespace}/${kind}/${name}`
    const { data } = withData.parse((await ask(this.#plane, {}, { method: 'GET', path })).body)
    if (kind === 'configmaps') return data
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
    )
  }

  /** What pods of NATS are given, and what clients trust from now on. */
  async material(): Promise<NatsMaterial> {
    await this.folderOf('configmaps', 'kilonova-nats-ca')
    const {
      'tls.crt': cert = '',
      'tls.key': key = '',
      ...env
    } = await this.entries('secrets', 'kilonova-nats-server')
    return { env, tls: { 'tls.crt': cert, 'tls.key': key, 'ca.crt': readFileSync(this.caFile, 'utf8') } }
  }

  /** Whom clients of NATS trust. */
  get caFile(): string {
    return join(this.#dir, 'kilonova-nats-ca', 'ca.crt')
  }

  /** An object's entries as files, as a volume shows them. */
  async folderOf(kind: 'secrets' | 'configmaps', name: string): Promise<string> {
    const folder = join(this.#dir, name)
    mkdirSync(folder, { recursive: true })
    for (const [file, text] of Object.entries(await this.entries(kind, name))) {
      writeFileSync(join(folder, file), text)
    }
    return folder
  }
}
