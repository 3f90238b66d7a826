import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { isConflict } from './api-error.ts'
import type { BackoffOptions } from './backoff.ts'
import { WorkQueue } from './work-queue.ts'

/** What a reconcile leaves behind. */
export type Result =
  /** All is as it should be. */
  | { readonly kind: 'done' }
  /** Look again in `ms`. */
  | { readonly kind: 'after'; readonly ms: number }
  /** Something else must change first, and an event will tell: `on` says what, for the log. */
  | { readonly kind: 'waiting'; readonly on: string }

export const DONE: Result = { kind: 'done' }

export interface ControllerOptions {
  /** For the log. */
  readonly name: string
  /** How many keys are worked on at a time. */
  readonly concurrency: number
  /**
   * Brings one object nearer to what it should be. Reads from the store and copes with the object being gone.
   * Rejecting means: try again later. The signal is aborted when the controller stops.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Result>
  /** Waits between failures of one key. */
  readonly backoff?: BackoffOptions | undefined
}

const BACKOFF: BackoffOptions = { baseMs: 100, capMs: 60_000 }

/** Runs a reconcile function over keys: one at a time for each, some at a time in all. */
export class Controller {
  readonly #log: Logger
  readonly #options: ControllerOptions
  readonly #queue: WorkQueue
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  /** What was last said of a failing key, so that it is said once. */
  readonly #complaints = new Map<string, string>()
  #isStarted = false

  constructor(
    deps: { readonly clock: Clock; readonly log: Logger; readonly random?: (() => number) | undefined },
    options: ControllerOptions,
  ) {
    this.#log = deps.log
    this.#options = options
    this.#queue = new WorkQueue(deps, {
      backoff: options.backoff ?? BACKOFF,
      onReady: () => this.#pump(),
    })
  }

  /** Keys that wait for a worker. */
  get backlog(): number {
    return this.#queue.size
  }

  /** Looks at the key soon. Before `start`, it waits for that; after `stop`, nothing happens. */
  enqueue(key: string): void {
    this.#queue.add(key)
  }

  enqueueAfter(key: string, ms: number): void {
    this.#queue.addAfter(key, ms)
  }

  start(): void {
    this.#isStarted = true
    this.#pump()
  }

  /** Starts nothing new and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#queue.close()
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  #pump(): void {
    while (this.#isStarted && this.#running.size < this.#options.concurrency) {
      const key = this.#queue.take()
      if (key === undefined) return
      const work: Promise<void> = this.#work(key).finally(() => {
        this.#running.delete(work)
        this.#queue.done(key)
        this.#pump()
      })
      this.#running.add(work)
    }
  }

  async #work(key: string): Promise<void> {
    // Not in the stack of whoever called `enqueue`, which may be in the middle of telling of several changes.
    await Promise.resolve()
    try {
      const result = await this.#options.reconcile(key, this.#stop.signal)
      this.#queue.forget(key)
      this.#complaints.delete(key)
      if (result.kind === 'after') this.#queue.addAfter(key, result.ms)
      if (result.kind === 'waiting') this.#debug('Waiting', { key, on: result.on })
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#failed(key, error)
    }
  }

  #failed(key: string, error: unknown): void {
    const waitMs = this.#queue.addRateLimited(key)
    const message = messageOf(error)
    const facts = { key, error: message, retryInMs: waitMs }
    // Somebody wrote first: the next look sees it.
    if (isConflict(error)) {
      this.#debug('Overtaken', facts)
    } else if (this.#complaints.get(key) === message) {
      this.#debug('Reconcile failed again', facts)
    } else {
      this.#complaints.set(key, message)
      this.#log.warn('Reconcile failed', { controller: this.#options.name, ...facts })
    }
  }

  #debug(message: string, facts: Readonly<Record<string, unknown>>): void {
    this.#log.debug(message, { controller: this.#options.name, ...facts })
  }
}
