import type { Clock, Timer } from '../common/clock.ts'
import type { CastHandler, ReceivedMessage, Settlement, Subscription } from './transport.ts'

/** After a handler that broke its promise not to reject. Milliseconds. */
const BROKEN_HANDLER_RETRY_MS = 1000

/** Who consumes a queue, and whether it can take a message right now. */
export interface WorkerLink {
  readonly maxConcurrent: number
  readonly handler: CastHandler
  /** False while the worker's transport is away from the broker. */
  isConnected(): boolean
  /** Resolves when a settlement can reach the broker; false when it never will (the transport is closed). */
  canSettle(): Promise<boolean>
}

interface Entry {
  readonly message: ReceivedMessage
  deliveries: number
}

/** One worker of a queue and the messages it holds. */
class Worker {
  readonly link: WorkerLink
  readonly held = new Set<Entry>()
  /** Handlers that run, whether or not the queue still counts their message as theirs. */
  readonly running = new Set<Promise<void>>()

  constructor(link: WorkerLink) {
    this.link = link
  }

  get ready(): boolean {
    return this.held.size < this.link.maxConcurrent && this.link.isConnected()
  }
}

/**
 * The memory broker's work queue: what a JetStream work-queue stream with one durable consumer does. A message
 * is kept until a worker acknowledged it, and given to one worker at a time.
 */
export class WorkQueue {
  readonly #clock: Clock
  readonly #ackWaitMs: number
  /** Every worker that may hold messages, also those that take no more. */
  readonly #workers = new Map<WorkerLink, Worker>()
  /** Those that take messages, in the order of their turns. */
  readonly #takers: Worker[] = []
  readonly #timers = new Set<Timer>()
  #waiting: Entry[] = []
  #pumping = false

  constructor(deps: { readonly clock: Clock }, options: { readonly ackWaitMs: number }) {
    this.#clock = deps.clock
    this.#ackWaitMs = options.ackWaitMs
  }

  /** Messages that nobody acknowledged yet: waiting, in a handler, or waiting for their next try. */
  get size(): number {
    let held = 0
    for (const worker of this.#workers.values()) held += worker.held.size
    return this.#waiting.length + this.#timers.size + held
  }

  push(message: ReceivedMessage): void {
    this.#waiting.push({ message, deliveries: 0 })
    this.pump()
  }

  addWorker(link: WorkerLink): Subscription {
    const worker = new Worker(link)
    this.#workers.set(link, worker)
    this.#takers.push(worker)
    this.pump()
    return {
      stop: async (late) => {
        this.#retire(worker)
        const handBack = (): void => this.#release(worker, 0)
        late?.addEventListener('abort', handBack, { once: true })
        await Promise.all(worker.running)
        late?.removeEventListener('abort', handBack)
        this.#workers.delete(link)
      },
    }
  }

  /** The worker's process died: what it held is given to others once the wait for its acks is over. */
  abandon(link: WorkerLink): void {
    const worker = this.#workers.get(link)
    if (!worker) return
    this.#retire(worker)
    this.#workers.delete(link)
    this.#release(worker, this.#ackWaitMs)
  }

  /** Gives what the worker holds to others, in `delayMs`. */
  #release(worker: Worker, delayMs: number): void {
    for (const entry of worker.held) this.#later(delayMs, entry)
    worker.held.clear()
  }

  /** The store is lost: every message is gone, and no settlement of one means anything any more. */
  wipe(): void {
    this.#waiting = []
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    for (const worker of this.#workers.values()) worker.held.clear()
    this.pump()
  }

  /** Hands out what waits, soon. Not at once: a sender must never find itself inside a worker. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      this.#handOut()
    })
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#takers.find((candidate) => candidate.ready)
      if (!worker) return
      // To the back, so that workers take turns.
      this.#takers.splice(this.#takers.indexOf(worker), 1)
      this.#takers.push(worker)
      const entry = this.#waiting.shift()
      if (entry) this.#deliver(worker, entry)
    }
  }

  #deliver(worker: Worker, entry: Entry): void {
    entry.deliveries += 1
    worker.held.add(entry)
    const run = this.#work(worker, entry).finally(() => worker.running.delete(run))
    worker.running.add(run)
  }

  async #work(worker: Worker, entry: Entry): Promise<void> {
    let settlement: Settlement = { kind: 'retry', delayMs: BROKEN_HANDLER_RETRY_MS }
    try {
      settlement = await worker.link.handler({ ...entry.message, attempt: entry.deliveries })
    } finally {
      // Given up by abandon() or wipe() meanwhile: then this settlement is as lost as an ack to a dead broker.
      if ((await worker.link.canSettle()) && worker.held.delete(entry)) {
        if (settlement.kind === 'retry') this.#later(settlement.delayMs, entry)
        this.pump()
      }
    }
  }

  #retire(worker: Worker): void {
    const index = this.#takers.indexOf(worker)
    if (index >= 0) this.#takers.splice(index, 1)
  }

  #later(delayMs: number, entry: Entry): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer)
      this.#waiting.unshift(entry)
      this.pump()
    })
    this.#timers.add(timer)
  }
}
