import { z } from 'zod'
import { toTimestamp, type Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'

/** One step of an operation. Nova's instance action event. */
export const actionEvent = z.object({
  name: z.string(),
  /** The host, or the service, that took the step. */
  host: z.string(),
  startTime: z.string(),
  finishTime: z.string().optional(),
  result: z.enum(['Success', 'Error']).optional(),
  details: z.string().optional(),
})
export type ActionEvent = z.infer<typeof actionEvent>

/** Why this host: what each filter took out, and the best few of those that passed. */
export const placement = z.object({
  /** The host that was chosen; empty when none was valid. */
  host: z.string(),
  considered: z.int(),
  filters: z.array(z.object({ name: z.string(), removed: z.int(), reasons: z.array(z.string()) })),
  weighed: z.array(
    z.object({
      host: z.string(),
      weight: z.number(),
      /** What each weigher gave to the weight; those that gave something. */
      weighers: z.record(z.string(), z.number()).optional(),
    }),
  ),
})
export type Placement = z.infer<typeof placement>

/**
 * What is known so far of an operation. It travels with the operation's messages and is written in one go
 * when the operation ends (and when a build changes hosts), so that steps cost no write each.
 */
export const actionProgress = z.object({ events: z.array(actionEvent), placement: placement.optional() })
export type ActionProgress = z.infer<typeof actionProgress>

export const NO_PROGRESS: ActionProgress = { events: [] }

const MAX_DETAILS = 1024
const MAX_EVENTS = 64

/** A step that has begun; `succeeded` and `failed` close it and give the progress with it. */
export class StepRecorder {
  readonly #clock: Clock
  /** The step's name in the record. */
  readonly name: string
  readonly #host: string
  readonly #startTime: string
  readonly #before: ActionProgress

  constructor(clock: Clock, step: { name: string; host: string }, before: ActionProgress) {
    this.#clock = clock
    this.name = step.name
    this.#host = step.host
    this.#before = before
    this.#startTime = toTimestamp(clock.now())
  }

  succeeded(): ActionProgress {
    return this.#with({ result: 'Success' })
  }

  failed(error: unknown): ActionProgress {
    return this.#with({ result: 'Error', details: messageOf(error).slice(0, MAX_DETAILS) })
  }

  #with(end: Pick<ActionEvent, 'result' | 'details'>): ActionProgress {
    const event: ActionEvent = {
      name: this.name,
      host: this.#host,
      startTime: this.#startTime,
      finishTime: toTimestamp(this.#clock.now()),
      ...end,
    }
    return appended(this.#before, { events: [event] })
  }
}

/** What was known, and what came after it; as many steps as a record takes. */
export function appended(before: ActionProgress, after: ActionProgress): ActionProgress {
  return { ...before, ...after, events: [...before.events, ...after.events].slice(-MAX_EVENTS) }
}
