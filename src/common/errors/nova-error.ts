/** What the code that catches an error should do next. */
export type Outcome =
  /** It may pass by itself: try again later. */
  | 'retry'
  /** The host was wrong: give the claim back and try another host. */
  | 'reschedule'
  /** The request or the state must change first: no retry helps. */
  | 'terminal'

/** Facts of an error: what happened, to what. They cross messages as JSON. */
export type Details = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/**
 * An error of ours, named as Nova names it. A class fixes what to do next (`outcome`) and the HTTP-like
 * `code` Nova's API would answer; its message is a pure function of its details, so an error is rebuilt on
 * the other side of a message from name and details alone.
 */
export abstract class NovaError<D extends Details = Details> extends Error {
  abstract readonly outcome: Outcome
  abstract readonly code: number
  readonly details: D

  constructor(message: string, details: D, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.details = details
  }
}
