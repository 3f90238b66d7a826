import type { Sender } from '../../rpc/sender.ts'
import type { Transport } from '../../rpc/transport.ts'

/** One broker and the ways to break it. Worlds may share a server process as long as their messages do not meet. */
export interface RpcWorld {
  /** After this a message whose worker died is delivered again. Milliseconds. */
  readonly ackWaitMs: number
  /** A transport of its own: what one process has. `publishDeadlineMs` is short, to be seen passing. */
  open(sender: Sender, log: LogLines): Transport
  /** How many casts the broker holds. */
  stored(): Promise<number>
  /** Takes the broker away, as a crash would. What it had acknowledged stays on its disk. */
  stopBroker(): Promise<void>
  startBroker(): Promise<void>
  /** Takes the broker away and brings it back with an empty disk. */
  wipeBroker(): Promise<void>
  close(): Promise<void>
}

/** What was logged, a line each. */
export type LogLines = string[]
