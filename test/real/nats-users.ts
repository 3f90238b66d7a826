import { readFileSync } from 'node:fs'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { SystemClock } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { NatsNames } from '../../src/rpc/nats-names.ts'
import { permissionsOf } from '../../src/rpc/nats-permissions.ts'
import { NatsTransport } from '../../src/rpc/nats-transport.ts'
import { describeSender, type Sender } from '../../src/rpc/sender.ts'

const PASSWORD = 'static'
const clock = new SystemClock()

const CHART_CONFIG = new URL('../../charts/kilonova/files/nats.conf', import.meta.url)

/**
 * nats-server's configuration of a user for each sender, with exactly its rights, and of one that may do all. The
 * account of the servers is as the chart has it: what nobody may ask of JetStream is refused there.
 */
export function usersOf(senders: readonly Sender[]): string {
  const users = senders.map((sender) => {
    const { publish, subscribe } = permissionsOf(sender)
    const permissions = `{ publish: ${JSON.stringify(publish)}, subscribe: ${JSON.stringify(subscribe)} }`
    return `{ user: "${describeSender(sender)}", password: "${PASSWORD}", permissions: ${permissions} }`
  })
  users.push(`{ user: "root", password: "${PASSWORD}" }`)
  const accounts = `KILONOVA { jetstream: enabled, users: [ ${users.join(', ')} ] }\n${chartSystemAccount()}`
  return `accounts {\n${accounts}\n}\nsystem_account: SYS`
}

function chartSystemAccount(): string {
  const found = /^ {2}SYS \{$.*?^ {2}\}$/ms.exec(readFileSync(CHART_CONFIG, 'utf8'))
  if (!found) throw new Error("the chart's nats.conf has no account SYS")
  return found[0]
}

/** A service's way to that broker, as its own user, with what it logs. */
export function openAs(
  url: string,
  sender: Sender,
): { readonly transport: NatsTransport; readonly lines: string[] } {
  const lines: string[] = []
  const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'debug' })
  const credentials = { user: describeSender(sender), pass: PASSWORD }
  const times = { ackWaitMs: 1500, publishDeadlineMs: 5000, roundTripTimeoutMs: 2000 }
  const transport = new NatsTransport({ log, clock }, { servers: url, sender, ...credentials, ...times })
  return { transport, lines }
}

/** A plain connection, with no more sense than an attacker's: it may do what the sender may, or all. */
export async function connectAs(url: string, sender?: Sender): Promise<NatsConnection> {
  const inboxPrefix = sender && { inboxPrefix: new NatsNames().inboxPrefix(sender) }
  const user = sender ? describeSender(sender) : 'root'
  return connect({
    servers: url,
    user,
    pass: PASSWORD,
    reconnect: false,
    noAsyncTraces: true,
    ...inboxPrefix,
  })
}
