import type { Clock, Timer } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { ApiError, isRetryable, WatchError } from './api-error.ts'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import type { KubeClient, Selection, WatchEvent } from './client.ts'
import { listAll } from './pager.ts'
import type { KubeObject, ResourceType } from './resource.ts'
import { compareResourceVersions } from './resource-version.ts'

/** What a reflector keeps up to date. */
export interface ReflectorTarget<T extends KubeObject> {
  replace(items: readonly T[], resourceVersion: string): void
  apply(event: WatchEvent<T>): void
}

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  readonly type: ResourceType<T>
  readonly backoff?: BackoffOptions | undefined
  /** A watch that brought not even a bookmark for so long is cut. Servers send one about every minute. */
  readonly silenceMs?: number | undefined
}

export interface ReflectorDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random?: (() => number) | undefined
}

const BACKOFF: BackoffOptions = { baseMs: 200, capMs: 30_000 }
const SILENCE_MS = 150_000
/** The server is asked to end a watch after 5 to 10 minutes, as client-go does, to spread the load. */
const WATCH_MIN_SECONDS = 300
const WATCH_SPREAD_SECONDS = 300
/** A watch that lasted for less, without an event, says nothing for the health of the server. */
const PROVEN_MS = 1_000
/** After so many failures in a row to go on from a version, the version itself is doubted. */
const RESUMES_BEFORE_RELIST = 8

/** Lists and watches a kind for as long as it runs, whatever happens on the way. */
export class Reflector<T extends KubeObject> {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #random: () => number
  readonly #options: ReflectorOptions<T>
  readonly #target: ReflectorTarget<T>
  /** Where the next watch goes on; undefined: list first. */
  #version: string | undefined
  /** Whether the server may not know our version, having begun a new history. */
  #isDoubtful = false
  #failures = 0
  #isLost = false
  #isFollowing = false

  constructor(deps: ReflectorDeps, options: ReflectorOptions<T>, target: ReflectorTarget<T>) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log
    this.#random = deps.random ?? Math.random
    this.#options = options
    this.#target = target
  }

  /** Whether what was told is current, apart from the moment it takes to resume a watch. */
  get isFollowing(): boolean {
    return this.#isFollowing && !this.#isLost
  }

  /** Runs until `signal` is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const delayMs = await this.#cycle(signal)
      if (signal.aborted || delayMs === 0) continue
      await this.#clock.sleep(delayMs, signal).catch(() => undefined)
    }
    this.#isFollowing = false
  }

  /** One list, where needed, and one watch. Answers how long to wait before the next. */
  async #cycle(signal: AbortSignal): Promise<number> {
    try {
      if (this.#isDoubtful && this.#version !== undefined) await this.#probe(signal)
      this.#version ??= await this.#list(signal)
      const startedMs = this.#clock.now()
      await this.#watch(this.#version, signal)
      if (this.#clock.now() - startedMs >= PROVEN_MS) return 0
      throw new Error('the server ended the watch at once')
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(error)
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { type, namespace, labelSelector, fieldSelector } = this.#options
    const selection = { namespace, labelSelector, fieldSelector, signal }
    const { items, resourceVersion } = await listAll(this.#client, type, selection)
    signal.throwIfAborted()
    this.#target.replace(items, resourceVersion)
    this.#log.debug('Listed', { kind: type.kind, objects: items.length, resourceVersion })
    return resourceVersion
  }

  /**
   * Asks for the server's own version. After a restored backup, or on another etcd, it is lower than ours, and a
   * watch from ours would be accepted and stay silent until the server has come so far again, if ever.
   */
  async #probe(signal: AbortSignal): Promise<void> {
    const { type, namespace } = this.#options
    const { resourceVersion } = await this.#client.list(type, { namespace, limit: 1, signal })
    this.#isDoubtful = false
    if (compareResourceVersions(resourceVersion, this.#version) < 0) this.#version = undefined
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { type, namespace, labelSelector, fieldSelector } = this.#options
    const silence = new Silence(this.#clock, this.#options.silenceMs ?? SILENCE_MS)
    let proof: Timer | undefined
    const events = this.#client.watch(type, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion: from,
      allowWatchBookmarks: true,
      timeoutSeconds: WATCH_MIN_SECONDS + Math.floor(this.#random() * WATCH_SPREAD_SECONDS),
      signal: AbortSignal.any([signal, silence.signal]),
      onOpen: () => {
        this.#isFollowing = true
        proof = this.#clock.after(PROVEN_MS, () => this.#proven())
      },
    })
    try {
      for await (const event of events) {
        silence.broken()
        this.#proven()
        this.#target.apply(event)
        this.#version =
          event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? from)
      }
    } finally {
      silence.end()
      proof?.cancel()
    }
    this.#isDoubtful = silence.signal.aborted
    this.#log.debug(silence.signal.aborted ? 'Cut a silent watch' : 'Watch ended', { kind: type.kind })
  }

  /** The watch works. Not known as soon as it is accepted: a server in trouble may accept and then fail each. */
  #proven(): void {
    this.#failures = 0
    if (!this.#isLost) return
    this.#isLost = false
    this.#log.info('Watching again', { kind: this.#options.type.kind })
  }

  /** Notes a failure, decides whether to list anew, and answers how long to wait. */
  #failed(error: unknown): number {
    this.#failures++
    const kind = this.#options.type.kind
    const mustRelist = !canResume(error) || this.#failures % RESUMES_BEFORE_RELIST === 0
    if (mustRelist) this.#version = undefined
    // A broken connection may lead to another server next time.
    this.#isDoubtful ||= this.#version !== undefined && error instanceof ApiError && error.code === 0
    const waitMs = Math.max(
      backoffMs(this.#options.backoff ?? BACKOFF, this.#failures, this.#random),
      error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0,
    )
    const facts = { kind, error: messageOf(error), relist: this.#version === undefined, waitMs }
    // A broken watch that resumes at the first try is everyday life (a rolling restart) and worth no warning.
    const isWorthAWarning = !this.#isLost && this.#failures > 1
    if (isWorthAWarning) {
      this.#isLost = true
      this.#log.warn('Cannot watch; trying again until it works', facts)
    } else {
      this.#log.debug('Watch or list failed', facts)
    }
    return waitMs
  }
}

/**
 * Whether the watch may go on from its last version. Never after an ERROR event, whatever its code: nobody
 * knows what the server left out. Nor after 410 (too old), 404 (the kind itself may have been replaced) and
 * 504, which is also the answer to a version that the server does not have yet and may never have again.
 */
function canResume(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true
  return !(error instanceof WatchError) && isRetryable(error) && error.code !== 504
}

/** A deadline that every sign of life puts off. */
class Silence {
  readonly #clock: Clock
  readonly #ms: number
  readonly #abort = new AbortController()
  #lastMs: number
  #timer: Timer

  constructor(clock: Clock, ms: number) {
    this.#clock = clock
    this.#ms = ms
    this.#lastMs = clock.now()
    this.#timer = clock.after(ms, () => this.#check())
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  broken(): void {
    this.#lastMs = this.#clock.now()
  }

  end(): void {
    this.#timer.cancel()
  }

  /** One timer for a whole watch, not one per event: set again only when it fires. */
  #check(): void {
    const leftMs = this.#lastMs + this.#ms - this.#clock.now()
    if (leftMs <= 0) this.#abort.abort(new Error('the watch was silent for too long'))
    else this.#timer = this.#clock.after(leftMs, () => this.#check())
  }
}
