import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { IdGenerator } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import { isAlreadyExists, isNotFound, isRetryable } from './api-error.ts'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import type { KubeClient } from './client.ts'
import { EVENT, eventTime, type KubeEvent, namespaceOfEvent, type Occurrence, referenceTo } from './event.ts'
import type { ObjectRef } from './resource.ts'

export interface EventRecorderOptions {
  /** Who reports: `nova-scheduler`. */
  readonly component: string
  /** Which of them: a host or pod name. */
  readonly instance?: string | undefined
  /** How many may wait to be sent. */
  readonly capacity?: number | undefined
  /** How long the same is counted up instead of told anew. */
  readonly windowMs?: number | undefined
}

/** The same thing about the same object, told once or more. */
interface Series {
  readonly what: Occurrence
  readonly ref: ObjectRef
  readonly firstMs: number
  lastMs: number
  count: number
  /** How many of `count` the server knows of; 0: nothing is there yet. */
  sent: number
  isWaiting: boolean
  isSending: boolean
}

const CAPACITY = 1_000
const WINDOW_MS = 600_000
/** Remembered for counting up; the oldest are forgotten first. */
const SERIES = 4_096
const SENDERS = 4
const TRIES = 5
const BACKOFF: BackoffOptions = { baseMs: 500, capMs: 10_000 }
/** Kubernetes' limit for an event's note. */
const MESSAGE_LENGTH = 1_024

/**
 * Tells users about their objects in Kubernetes Events. Never makes its caller wait and never fails: events are
 * sent in the background, and lost rather than piled up when the server does not take them.
 */
export class EventRecorder {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #ids: IdGenerator
  readonly #random: () => number
  readonly #options: EventRecorderOptions
  readonly #series = new Map<string, Series>()
  readonly #waiting: Series[] = []
  readonly #idle = new Set<() => void>()
  #senders = 0
  #isDropping = false

  constructor(
    deps: {
      readonly client: KubeClient
      readonly clock: Clock
      readonly log: Logger
      readonly ids: IdGenerator
      readonly random?: (() => number) | undefined
    },
    options: EventRecorderOptions,
  ) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log
    this.#ids = deps.ids
    this.#random = deps.random ?? Math.random
    this.#options = options
  }

  /** Returns at once. The same again within the window raises the count of the event that is there. */
  record(occurrence: Occurrence): void {
    const nowMs = this.#clock.now()
    const key = seriesKey(occurrence)
    const known = this.#series.get(key)
    const isCurrent = known !== undefined && nowMs - known.lastMs < (this.#options.windowMs ?? WINDOW_MS)
    const series = isCurrent ? known : this.#newSeries(occurrence, nowMs)
    series.count++
    series.lastMs = nowMs
    this.#series.delete(key)
    this.#series.set(key, series)
    const [oldest] = this.#series.keys()
    if (this.#series.size > SERIES && oldest !== undefined) this.#series.delete(oldest)
    this.#enqueue(series)
  }

  /** Resolves when all that was recorded is sent or given up, or after `timeoutMs`. */
  async flush(timeoutMs = 5_000): Promise<void> {
    if (this.#isIdle()) return
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(timeoutMs, resolve)
      this.#idle.add(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#senders === 0
  }

  #newSeries(what: Occurrence, nowMs: number): Series {
    const { name } = what.object.metadata
    // Unique, and within the 253 characters of a name.
    const ref = {
      namespace: namespaceOfEvent(what.object),
      name: `${name.slice(0, 200)}.${this.#ids.uuid()}`,
    }
    return { what, ref, firstMs: nowMs, lastMs: nowMs, count: 0, sent: 0, isWaiting: false, isSending: false }
  }

  #enqueue(series: Series): void {
    // One that is being sent looks at its count again when it is back.
    if (series.isWaiting || series.isSending) return
    series.isWaiting = true
    this.#waiting.push(series)
    if (this.#waiting.length > (this.#options.capacity ?? CAPACITY)) this.#drop()
    if (this.#senders < SENDERS) void this.#sendAll()
  }

  #drop(): void {
    const dropped = this.#waiting.shift()
    if (!dropped) return
    dropped.isWaiting = false
    if (!this.#isDropping)
      this.#log.warn('Events are recorded faster than they can be sent; dropping the oldest')
    this.#isDropping = true
  }

  async #sendAll(): Promise<void> {
    this.#senders++
    for (let series = this.#waiting.shift(); series; series = this.#waiting.shift()) {
      series.isWaiting = false
      series.isSending = true
      const count = series.count
      await this.#send(series, count)
      series.isSending = false
      if (series.count > count) this.#enqueue(series)
    }
    this.#senders--
    if (!this.#isIdle()) return
    this.#isDropping = false
    for (const resolve of this.#idle) resolve()
    this.#idle.clear()
  }

  /** Tries some times; then it is given up. Never rejects. */
  async #send(series: Series, count: number): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        await this.#write(series, count)
        series.sent = count
        return
      } catch (error) {
        // An earlier try arrived although its answer did not.
        if (isAlreadyExists(error)) {
          series.sent = count
          return
        }
        if (!isRetryable(error) || failures >= TRIES) {
          const { reason } = series.what
          this.#log.debug('Could not send an event', {
            event: series.ref.name,
            reason,
            error: messageOf(error),
          })
          return
        }
        await this.#clock.sleep(backoffMs(BACKOFF, failures, this.#random))
      }
    }
  }

  async #write(series: Series, count: number): Promise<void> {
    if (series.sent === 0) {
      await this.#client.create(EVENT, this.#eventOf(series, count))
      return
    }
    try {
      const patch = { count, lastTimestamp: eventTime(series.lastMs) }
      await this.#client.mergePatch(EVENT, series.ref, patch)
    } catch (error) {
      // The server forgets events after an hour.
      if (!isNotFound(error)) throw error
      await this.#client.create(EVENT, this.#eventOf(series, count))
    }
  }

  #eventOf(series: Series, count: number): KubeEvent {
    const { what, ref } = series
    const { component, instance } = this.#options
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { ...ref, ...(what.annotations && { annotations: { ...what.annotations } }) },
      involvedObject: referenceTo(what.object),
      type: what.type,
      reason: what.reason,
      message: what.message.slice(0, MESSAGE_LENGTH),
      source: { component, ...(instance !== undefined && { host: instance }) },
      reportingComponent: component,
      reportingInstance: instance ?? '',
      firstTimestamp: eventTime(series.firstMs),
      lastTimestamp: eventTime(series.lastMs),
      count,
    }
  }
}

function seriesKey({ object, type, reason, message, annotations }: Occurrence): string {
  const { uid, namespace, name } = object.metadata
  return JSON.stringify([object.kind, namespace, name, uid, type, reason, message, annotations])
}
