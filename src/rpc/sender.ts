import { hostToken, isHost } from './target.ts'

/** The services of the control plane, and `kilonova check`. The replicas of each are one sender. */
const CENTRAL = ['api', 'scheduler', 'conductor', 'check'] as const

/**
 * Who sends a message. It is part of the subject a message is published to, which the broker lets nobody else
 * publish to: whoever receives the message can rely on it.
 */
export type Sender =
  | { readonly service: (typeof CENTRAL)[number] }
  | { readonly service: 'compute'; readonly host: string }

/**
 * The sender as the end of a broker subject: `scheduler`, `compute.node-1_example_com`.
 *
 * @throws TypeError for a host that is no DNS name.
 */
export function senderToken(sender: Sender): string {
  return sender.service === 'compute' ? `compute.${hostToken(sender.host)}` : sender.service
}

/** The sender of a subject's end; undefined when it names none of ours. */
export function senderOfToken(token: string): Sender | undefined {
  const service = CENTRAL.find((one) => one === token)
  if (service) return { service }
  const [, tokenOfHost] = /^compute\.([^.]+)$/.exec(token) ?? []
  const host = tokenOfHost?.replaceAll('_', '.')
  return host !== undefined && isHost(host) ? { service: 'compute', host } : undefined
}

/** The sender as a person reads it: `scheduler`, `compute.node-1.example.com`. */
export function describeSender(sender: Sender): string {
  return sender.service === 'compute' ? `compute.${sender.host}` : sender.service
}
