import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { defineResource, type KubeObject, refOf, type ResourceType } from '../../kube/resource.ts'
import type { SubresourceAnswer } from './subresource-answer.ts'
import { makeSelfSigned } from './self-signed.ts'

interface ApiService extends KubeObject {
  readonly spec?: object
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

const API_SERVICE = defineResource<ApiService>({
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  namespaced: false,
})

interface Service extends KubeObject {
  readonly spec?: object
}

const SERVICE = defineResource<Service>({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
})

const OURS_KEY = 'app.kubernetes.io/managed-by'
const OURS = { [OURS_KEY]: 'kilonova-dev' }
const NAME = 'v1.subresources.kubevirt.io'

export interface AggregatedApiOptions {
  readonly handle: (method: string, path: string, body: unknown) => Promise<SubresourceAnswer | undefined>
  /** How the API server calls this machine. Default localhost: it runs here too. */
  readonly externalName?: string
  /** Where to listen. Default 127.0.0.1. */
  readonly address?: string
}

/**
 * Serves the stand-in's subresources to a real API server as KubeVirt's virt-api is served: as an aggregated
 * API. Clients then ask under the same path with the same rights as with KubeVirt itself. Nobody checks who
 * asks here: it listens on this machine alone, for development.
 */
export class AggregatedApi {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: AggregatedApiOptions
  #server: Server | undefined
  #isRegistered = false

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    options: AggregatedApiOptions,
  ) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log.named('dev.kubevirt')
    this.#options = options
  }

  /** Listens, registers with the API server and resolves when that finds it available. */
  async start(signal?: AbortSignal): Promise<void> {
    const namespace = 'default'
    const name = 'kubevirt-stand-in'
    const { cert, key } = makeSelfSigned(`${name}.${namespace}.svc`, this.#clock.now())
    const server = createServer({ cert, key }, (request, response) => void this.#serve(request, response))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, this.#options.address ?? '127.0.0.1', resolve)
    })
    const { port } = server.address() as AddressInfo
    await this.#apply(SERVICE, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name },
      spec: { type: 'ExternalName', externalName: this.#options.externalName ?? 'localhost' },
    })
    await this.#apply(API_SERVICE, {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: NAME },
      spec: {
        group: 'subresources.kubevirt.io',
        version: 'v1',
        groupPriorityMinimum: 1000,
        versionPriority: 15,
        service: { namespace, name, port },
        caBundle: Buffer.from(cert).toString('base64'),
      },
    })
    this.#isRegistered = true
    await this.#available(signal)
  }

  async stop(): Promise<void> {
    try {
      if (this.#isRegistered) await this.#client.delete(API_SERVICE, { name: NAME })
    } catch (error) {
      if (!isNotFound(error)) this.#log.debug('Could not unregister', { error: messageOf(error) })
    }
    const server = this.#server
    if (!server) return
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  async #available(signal?: AbortSignal): Promise<void> {
    const done = new AbortController()
    const end = signal ? AbortSignal.any([signal, done.signal]) : done.signal
    const fieldSelector = `metadata.name=${NAME}`
    for await (const event of this.#client.watch(API_SERVICE, { fieldSelector, signal: end })) {
      if (event.type === 'BOOKMARK') continue
      const conditions = event.object.status?.conditions ?? []
      const isAvailable = conditions.some(({ type, status }) => type === 'Available' && status === 'True')
      if (isAvailable) done.abort()
    }
    signal?.throwIfAborted()
    if (!done.signal.aborted) throw new Error('the API server ended the watch of its APIServices')
  }

  /**
   * What an earlier run left is brought up to date: the port and the certificate are new. What somebody else
   * made is KubeVirt's own, and stays.
   */
  async #apply<T extends KubeObject & { readonly spec?: object }>(
    type: ResourceType<T>,
    object: T,
  ): Promise<void> {
    try {
      await this.#client.create(type, { ...object, metadata: { ...object.metadata, labels: OURS } })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const there = await this.#client.get(type, refOf(object))
      if (there.metadata.labels?.[OURS_KEY] !== OURS[OURS_KEY]) {
        throw new Error(`KubeVirt itself is installed: ${type.plural} ${object.metadata.name} is not ours`)
      }
      await this.#client.mergePatch(type, refOf(object), { spec: object.spec })
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answer(request).catch((error: unknown) => failure(500, messageOf(error)))
    response.writeHead(answer.code, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer.body))
  }

  async #answer(request: IncomingMessage): Promise<SubresourceAnswer> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const text = Buffer.concat(chunks).toString('utf8')
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    const { pathname } = new URL(request.url ?? '/', 'https://stand-in')
    const answer = await this.#options.handle(request.method ?? 'GET', pathname, body)
    return answer ?? failure(404, `nothing is served at ${pathname}`)
  }
}

function failure(code: number, message: string): SubresourceAnswer {
  return { code, body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message } }
}
