/** How a message ended. */
export type Outcome =
  /** Its handler did it. */
  | 'done'
  /** An error of ours, which is the API's way to say no or not now. */
  | 'refused'
  /** An error that is a bug. */
  | 'failed'
  /** Nothing for a handler: no JSON, an unknown method, a version too new, wrong arguments. */
  | 'unfit'

export interface Measured {
  readonly kind: 'cast' | 'call' | 'fanout'
  /** Empty for a message that is unfit: what it says of itself is not to be trusted. */
  readonly method: string
  readonly outcome: Outcome
  readonly seconds: number
}

/** Is told of every message a server was handed, for whoever counts them. */
export interface RpcMeter {
  handled(message: Measured): void
  /** A cast became a dead letter. */
  gaveUp(method: string): void
}
