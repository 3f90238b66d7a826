import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node'
import type { Message, MessageHeaders } from './transport.ts'

const UTF8 = new TextDecoder()

/** Our headers as nats.js wants them. */
export function toNatsHeaders(own: MessageHeaders): MsgHdrs {
  const result = headers()
  for (const name in own) result.set(name, own[name] ?? '')
  return result
}

/** A NATS message as ours. Of a header that is there twice, the first counts. */
export function fromNats(msg: Msg): Message {
  const own: Record<string, string> = {}
  if (msg.headers) {
    for (const [name, values] of msg.headers) own[name] = values[0] ?? ''
  }
  return { headers: own, body: UTF8.decode(msg.data) }
}

/** What JetStream says of a delivery, in the subject its ack goes to. */
export interface DeliveryInfo {
  /** 1 for the first time. */
  readonly attempt: number
  /** The message's place in the stream: the same at every delivery. */
  readonly sequence: number
}

/** Undefined for what is no JetStream delivery. Two forms are in use, with and without domain and account. */
export function deliveryOf(replySubject: string): DeliveryInfo | undefined {
  const tokens = replySubject.split('.')
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined
  const first = tokens.length === 9 ? 4 : 6
  return { attempt: Number(tokens[first]), sequence: Number(tokens[first + 1]) }
}
