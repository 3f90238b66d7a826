import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../scenarios/eventually.ts'
import { AuthWorld } from './auth-world.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()

describe.skipIf(needed !== undefined)('kilonova nats-keys, under its own account', () => {
  let world: AuthWorld

  beforeAll(async () => {
    world = await AuthWorld.start()
  })
  afterAll(() => world?.stop())

  const all = (): Promise<unknown> =>
    Promise.all([
      world.keys.entries('secrets', 'kilonova-nats-auth'),
      world.keys.entries('secrets', 'kilonova-nats-server'),
      world.keys.entries('secrets', 'kilonova-nats-ca-key'),
      world.keys.entries('configmaps', 'kilonova-nats-ca'),
    ])

  it('makes the same keys however many run at once, and none twice', async () => {
    const logs = await Promise.all([world.makeKeys(), world.makeKeys(), world.makeKeys()])
    const made = await all()

    for (const log of logs) expect(log).toContain('The keys of NATS are there')
    expect(await world.makeKeys()).not.toContain('Wrote')
    expect(await all()).toEqual(made)
  })

  it('says in one line what it may not do, and fails', async () => {
    const failure: unknown = await world.makeKeys(['--name-prefix', 'other']).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 1 })
    const { stderr } = Object(failure)
    expect(String(stderr).trim().split('\n')).toEqual([
      expect.stringMatching(
        /ERROR nova\.nats_keys .*Could not make the keys of NATS .*other-nats-auth.* is forbidden/,
      ),
    ])
  })

  it('gives NATS a certificate of a new authority without a restart, and its clients come again', async () => {
    await world.makeKeys()
    const nats = await world.startNats()
    const auth = await world.natsAuth('auth', nats)
    await auth.start()
    const conductor = await world.service(nats, { service: 'conductor' })
    const agent = await world.service(nats, { service: 'compute', host: 'node-1' })
    const before = await world.keys.entries('configmaps', 'kilonova-nats-ca')
    const oldIssuer = await issuerOf(nats.urls[0])

    await world.deleteObject('secrets', 'kilonova-nats-ca-key')
    await world.deleteObject('secrets', 'kilonova-nats-server')
    await world.makeKeys()
    const after = await world.keys.entries('configmaps', 'kilonova-nats-ca')
    expect(after['ca.crt']).toContain(before['ca.crt'])
    // NATS sends away whom the callout let in, when its configuration is read anew.
    await nats.renew(await world.keys.material())
    await eventually('both are back', () => agent.connections > 1 && conductor.connections > 1)

    expect(await agent.call({ topic: 'conductor' }, 'again')).toBe('again yourself')
    expect(await issuerOf(nats.urls[0])).not.toBe(oldIssuer)
    expect(agent.lines.join('\n')).not.toContain('not trusted')
  })
})

/** Who signed the certificate that a server shows now: TLS begins after the server's first line. */
async function issuerOf(url = ''): Promise<string> {
  const { hostname: host, port } = new URL(url)
  const plain = connectTcp({ host, port: Number(port) })
  await once(plain, 'data')
  const socket = connectTls({ socket: plain, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { issuer } = socket.getPeerCertificate()
  socket.destroy()
  return String(issuer.CN)
}
