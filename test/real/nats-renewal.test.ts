import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, type PeerCertificate } from 'node:tls'
import { connect } from '@nats-io/transport-node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../scenarios/eventually.ts'
import { AuthWorld } from './auth-world.ts'
import type { ChartNats } from './parts/chart-nats.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()

const AGENT = { service: 'compute', host: 'node-1' } as const
const TARGET = { topic: AGENT.service, host: AGENT.host }
const CONDUCTOR = { topic: 'conductor' }

describe.skipIf(needed !== undefined)('a renewed certificate of NATS', () => {
  let world: AuthWorld

  beforeEach(async () => {
    world = await AuthWorld.start()
    await world.makeKeys()
  })
  afterEach(() => world?.stop())

  /** As kubelet does, a minute or two after a Secret has changed. */
  const handOut = async (nats: ChartNats): Promise<void> => nats.show(await world.keys.material())
  const isShown = (nats: ChartNats, before: readonly string[]): Promise<boolean> =>
    eventually('every server shows another certificate', async () => {
      const now = await serialsOf(nats)
      return now.every((serial, index) => serial !== before[index])
    })

  it('is shown by every server to whoever comes, and whoever is in stays and loses nothing', async () => {
    await world.keys.makeOldCertificate(Date.now())
    const nats = await world.startNats(3)
    const auth = await world.natsAuth('auth', nats)
    await auth.start()
    const reloaders = await world.startReloaders(nats)
    const [api, conductor, agent] = await Promise.all([
      world.service(nats, { service: 'api' }),
      world.service(nats, { service: 'conductor' }),
      world.service(nats, AGENT),
    ])
    const others = await Promise.all(
      Array.from({ length: 9 }, (_, index) => world.service(nats, { ...AGENT, host: `node-${index + 2}` })),
    )
    const before = await serialsOf(nats)
    const sent: string[] = []
    let isOver = false
    const casting = (async () => {
      while (!isOver) {
        await api.cast(TARGET, `${sent.length}`)
        sent.push(`cast from api: ${sent.length}`)
        await agent.call(CONDUCTOR, 'save')
      }
    })()

    expect(await world.renewKeys()).toContain('less than a third of its life is left')
    await handOut(nats)
    await isShown(nats, before)
    await eventually('each server is through with it', () => reloads(nats).every((count) => count === 1))
    isOver = true
    await casting

    await eventually('every cast arrived', () => agent.heard.length >= sent.length)
    expect(agent.heard).toEqual(sent)
    const all = [api, conductor, agent, ...others]
    expect(all.map(({ connections }) => connections)).toEqual(all.map(() => 1))
    for (const one of reloaders) expect(one.log().match(/Told NATS/g)).toHaveLength(1)

    const late = await world.service(nats, { ...AGENT, host: 'node-20' })
    expect(await late.call(CONDUCTOR, 'late')).toBe('late yourself')
    await nats.kill()
    await nats.restart()
    await eventually('all are back', () => [...all, late].every((peer) => peer.isConnected))
    await eventually('the agent is answered again', () => agent.call(CONDUCTOR, 'again'))
    await api.cast(TARGET, 'again')
    await eventually('the cast arrived', () => agent.heard.includes('cast from api: again'))
  })

  it('changes nothing in what an agent may do', async () => {
    await world.keys.makeOldCertificate(Date.now())
    const nats = await world.startNats()
    const auth = await world.natsAuth('auth', nats)
    await auth.start()
    await world.startReloaders(nats)
    const api = await world.service(nats, { service: 'api' })
    await world.service(nats, { service: 'conductor' })
    const agent = await world.service(nats, AGENT)
    const nc = await connect({
      servers: nats.url,
      token: await world.tokenOf(AGENT),
      tls: { ca: readFileSync(world.keys.caFile, 'utf8') },
      reconnect: false,
      inboxPrefix: '_INBOX.compute.node-1',
    })
    const violations: string[] = []
    void (async () => {
      for await (const event of nc.status()) if (event.type === 'error') violations.push(event.error.message)
    })()
    const before = await serialsOf(nats)
    await world.renewKeys()
    await handOut(nats)
    await isShown(nats, before)
    await eventually('the server is through with it', () => reloads(nats)[0] === 1)

    nc.subscribe('kilonova.>')
    await eventually('it may not listen', () => violations.length === 1)
    nc.publish('kilonova.cast.scheduler.by.api', 'x')
    await eventually('it may not send', () => violations.length === 2)
    // JetStream's own answer, sent to where it would be read as a request: see nats-replies.test.ts.
    const next = '$JS.API.CONSUMER.MSG.NEXT.KILONOVA_CASTS.compute-node-1'
    const noWait = JSON.stringify({ batch: 1, no_wait: true })
    for (const _ of [1, 2]) nc.publish(next, noWait, { reply: '$JS.API.STREAM.DELETE.KILONOVA_CASTS' })
    await nc.request(next, noWait, { timeout: 10_000, noMux: true })
    await nc.close()
    await api.cast(TARGET, 'kept')
    await eventually('the cast arrived', () => agent.heard.includes('cast from api: kept'))
    expect(violations).toHaveLength(2)
  })

  it('of a new authority is trusted; who cannot be asked about meanwhile is sent away, and comes again', async () => {
    const nats = await world.startNats()
    const auth = await world.natsAuth('auth', nats)
    await auth.start()
    await world.startReloaders(nats)
    const conductor = await world.service(nats, { service: 'conductor' })
    const agent = await world.service(nats, AGENT)
    const bundle = await world.keys.entries('configmaps', 'kilonova-nats-ca')
    const before = await serialsOf(nats)

    await world.deleteObject('secrets', 'kilonova-nats-ca-key')
    await world.deleteObject('secrets', 'kilonova-nats-server')
    await world.makeKeys()
    await auth.kill()
    await handOut(nats)
    await isShown(nats, before)
    await eventually('both were sent away', () => !agent.isConnected && !conductor.isConnected)
    await auth.start()
    await eventually('both are back', () => agent.isConnected && conductor.isConnected)

    const { 'ca.crt': trusted } = await world.keys.entries('configmaps', 'kilonova-nats-ca')
    expect(trusted).toContain(bundle['ca.crt'])
    expect(await agent.call(CONDUCTOR, 'again')).toBe('again yourself')
    expect(agent.lines.join('\n')).not.toContain('not trusted')
  })
})

/** How often each server has read its configuration anew, to the end. */
function reloads(nats: ChartNats): number[] {
  return nats.parts.map(
    ({ logFile }) => readFileSync(logFile, 'utf8').match(/Reloaded server configuration/g)?.length ?? 0,
  )
}

async function serialsOf(nats: ChartNats): Promise<string[]> {
  return (await Promise.all(nats.urls.map(certificateOf))).map(({ serialNumber }) => serialNumber)
}

/** The certificate that a server shows now: TLS begins after the server's first line. */
async function certificateOf(url: string): Promise<PeerCertificate> {
  const { hostname: host, port } = new URL(url)
  const plain = connectTcp({ host, port: Number(port) })
  await once(plain, 'data')
  const socket = connectTls({ socket: plain, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerCertificate()
  socket.destroy()
  return certificate
}
