import { type Clock, type Timer } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { isConflict, isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Informer } from '../kube/informer.ts'
import { keyOf, type KubeObject, type ResourceType } from '../kube/resource.ts'
import { patchStatus } from '../kube/status-writer.ts'

/** What is to be seen in the status of each object of a kind. */
export interface Report<T extends KubeObject> {
  readonly type: ResourceType<T>
  readonly informer: Informer<T>
  /** What to merge into the status; `undefined` where it says that already. */
  readonly changeOf: (object: T) => object | undefined
  /** Is told of each object that was written. */
  readonly onWritten?: (object: T) => void
}

/** How many are written at a look; the others wait for the next. */
const MAX_WRITES = 50

/** One whose write was refused is tried again after this, and after twice as long each time, up to the cap. */
const RETRY = { baseMs: 4_000, capMs: 120_000 }

interface Failed {
  readonly times: number
  readonly notBefore: number
}

/**
 * Looks at the objects of a kind again and again and writes what their status has to say, where that has changed. So
 * however much happens between two looks, each object is written once.
 */
export class StatusReporter<T extends KubeObject> {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #report: Report<T>
  readonly #intervalMs: number
  /** By key. */
  readonly #failed = new Map<string, Failed>()
  #timer: Timer | undefined
  #isWriting = false

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    report: Report<T>,
    options: { readonly intervalMs: number },
  ) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.scheduler.status')
    this.#report = report
    this.#intervalMs = options.intervalMs
  }

  start(): void {
    this.#timer = this.#clock.every(this.#intervalMs, () => void this.look())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Looks at all of them once. What could not be written is tried again with a later look. */
  async look(): Promise<void> {
    // A slow API server is not to be asked for the same again meanwhile.
    if (this.#isWriting) return
    this.#isWriting = true
    try {
      const { informer, changeOf } = this.#report
      const writes: Promise<void>[] = []
      const now = this.#clock.now()
      for (const key of this.#failed.keys()) if (!informer.store.get(key)) this.#failed.delete(key)
      for (const object of informer.store.list()) {
        const failed = this.#failed.get(keyOf(object.metadata))
        const change = failed && failed.notBefore > now ? undefined : changeOf(object)
        if (change) writes.push(this.#write(object, change))
        if (writes.length === MAX_WRITES) break
      }
      await Promise.all(writes)
    } finally {
      this.#isWriting = false
    }
  }

  async #write(object: T, change: object): Promise<void> {
    const { type, informer, onWritten } = this.#report
    const { metadata } = object
    const key = keyOf(metadata)
    try {
      const written = await patchStatus(this.#client, type, object, change)
      this.#failed.delete(key)
      informer.observe(written)
      onWritten?.(written)
    } catch (error) {
      const isGone = isNotFound(error) && error.details?.name === metadata.name
      if (isGone || isConflict(error)) return
      const times = (this.#failed.get(key)?.times ?? 0) + 1
      const waitMs = Math.min(RETRY.capMs, RETRY.baseMs * 2 ** Math.min(times - 1, 30))
      this.#failed.set(key, { times, notBefore: this.#clock.now() + waitMs })
      if (times > 1) return
      this.#log.warn('Could not write a status', { kind: type.kind, object: key, error: messageOf(error) })
    }
  }
}
