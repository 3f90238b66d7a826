import { ApiError } from '../kube/api-error.ts'
import type { KubeClient, KubeList, PatchOptions, WatchEvent, WriteOptions } from '../kube/client.ts'
import { type KubeObject, keyOf, type ObjectRef, type ResourceType } from '../kube/resource.ts'

interface MemoryServer {
  readonly objects: Map<string, KubeObject>
  version: number
  readonly requests: string[]
}

/**
 * A small working KubeClient without a network: creates, replaces and patches with preconditions. For tests
 * that hold time still, which a real connection cannot. No watch: for that there is the embedded API server.
 */
export class MemoryKubeClient implements KubeClient {
  readonly #server: MemoryServer
  /** Set: every request rejects with it. */
  failure: Error | undefined
  /** Set: requests hang until it is cleared or their signal is aborted. */
  isHanging = false

  constructor(server: MemoryServer = { objects: new Map(), version: 0, requests: [] }) {
    this.#server = server
  }

  /** Another client of the same server, which can fail by itself. */
  connect(): MemoryKubeClient {
    return new MemoryKubeClient(this.#server)
  }

  /** `verb kind/name` of each request that was carried out, for any client. */
  get requests(): readonly string[] {
    return this.#server.requests
  }

  all(): KubeObject[] {
    return [...this.#server.objects.values()]
  }

  async get<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options: WriteOptions = {},
  ): Promise<T> {
    await this.#enter('get', type, ref, options.signal)
    return this.#copy(this.#existing(type, ref))
  }

  async list<T extends KubeObject>(): Promise<KubeList<T>> {
    throw new Error('MemoryKubeClient has no list')
  }

  async create<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    await this.#enter('create', type, object.metadata, options.signal)
    const key = `${type.kind} ${keyOf(object.metadata)}`
    if (this.#server.objects.has(key)) throw refusal(409, 'AlreadyExists')
    return this.#save(key, object)
  }

  async replace<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    await this.#enter('replace', type, object.metadata, options.signal)
    const held = this.#existing(type, object.metadata)
    const { resourceVersion } = object.metadata
    if (resourceVersion !== undefined && resourceVersion !== held.metadata.resourceVersion) {
      throw refusal(409, 'Conflict')
    }
    return this.#save(`${type.kind} ${keyOf(object.metadata)}`, object)
  }

  async mergePatch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: object,
    options: PatchOptions = {},
  ): Promise<T> {
    await this.#enter('patch', type, ref, options.signal)
    const held = this.#existing(type, ref)
    const expected = options.resourceVersion
    if (expected !== undefined && expected !== held.metadata.resourceVersion) throw refusal(409, 'Conflict')
    return this.#save(`${type.kind} ${keyOf(ref)}`, merged(held, patch))
  }

  async jsonPatch<T extends KubeObject>(): Promise<T> {
    throw new Error('MemoryKubeClient has no JSON patch')
  }

  async delete<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef): Promise<void> {
    await this.#enter('delete', type, ref, undefined)
    this.#existing(type, ref)
    this.#server.objects.delete(`${type.kind} ${keyOf(ref)}`)
  }

  watch<T extends KubeObject>(): AsyncIterable<WatchEvent<T>> {
    throw new Error('MemoryKubeClient has no watch')
  }

  async request(): Promise<string> {
    throw new Error('this client serves objects only')
  }

  async getRaw(): Promise<string> {
    return 'ok'
  }

  async close(): Promise<void> {
    this.#server.objects.clear()
  }

  // oxlint-disable-next-line max-params
  async #enter<T extends KubeObject>(
    verb: string,
    type: ResourceType<T>,
    ref: ObjectRef,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    while (this.isHanging) {
      signal?.throwIfAborted()
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
    if (this.failure) throw this.failure
    this.#server.requests.push(`${verb} ${type.kind}/${ref.name}`)
  }

  #existing<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef): KubeObject {
    const held = this.#server.objects.get(`${type.kind} ${keyOf(ref)}`)
    if (!held)
      throw new ApiError({ code: 404, reason: 'NotFound', message: 'NotFound', details: { name: ref.name } })
    return held
  }

  #save<T extends KubeObject>(key: string, object: T): T {
    this.#server.version++
    const metadata = { ...object.metadata, resourceVersion: `${this.#server.version}` }
    const saved = structuredClone({ ...object, metadata })
    this.#server.objects.set(key, saved)
    return this.#copy(saved)
  }

  #copy<R>(object: object): R {
    const copy: R = JSON.parse(JSON.stringify(object))
    return copy
  }
}

function refusal(code: number, reason: string): ApiError {
  return new ApiError({ code, reason, message: reason })
}

/** One level is what tests of ours need. */
function merged<R>(object: object, patch: object): R {
  const result: R = JSON.parse(JSON.stringify({ ...object, ...patch }))
  return result
}
