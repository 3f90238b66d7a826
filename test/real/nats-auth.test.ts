import { readFileSync, writeFileSync } from 'node:fs'
import { createUser } from '@nats-io/nkeys'
import { AuthorizationError, connect, nkeyAuthenticator, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Sender } from '../../src/rpc/sender.ts'
import { eventually } from '../scenarios/eventually.ts'
import type { Peer } from './auth-peer.ts'
import { AuthWorld } from './auth-world.ts'
import type { ChartNats } from './parts/chart-nats.ts'
import type { ServiceProcess } from './service-process.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()

const NODE_1 = { service: 'compute', host: 'node-1.example.com' } as const
const NODE_2 = { service: 'compute', host: 'node-2' } as const
const AGENT = { topic: 'compute', host: NODE_1.host }
const CONDUCTOR = { topic: 'conductor' }
const SCHEDULER = { topic: 'scheduler' }

describe.skipIf(needed !== undefined)('NATS with the auth callout', () => {
  let world: AuthWorld
  let nats: ChartNats
  let auth: ServiceProcess

  beforeAll(async () => {
    world = await AuthWorld.start()
    await world.makeKeys()
    nats = await world.startNats()
    auth = await world.natsAuth('auth-1', nats)
    await auth.start()
  })
  afterEach(() => world?.leave())
  afterAll(() => world?.stop())

  const enter = (sender: Sender): Promise<Peer> => world.service(nats, sender)
  const enterAll = (): Promise<readonly [Peer, Peer, Peer]> =>
    Promise.all([enter({ service: 'api' }), enter(NODE_1), enter({ service: 'conductor' })])
  const hears = (peer: Peer, what: string): Promise<boolean> =>
    eventually(`${peer.sender.service} hears: ${what}`, () => peer.heard.includes(what))

  it('lets every service in with its own token, and each can do its work', async () => {
    const [api, scheduler, conductor, agent, check] = await Promise.all([
      enter({ service: 'api' }),
      enter({ service: 'scheduler' }),
      enter({ service: 'conductor' }),
      enter(NODE_1),
      enter({ service: 'check' }),
    ])

    await api.cast(SCHEDULER, 'build')
    await hears(scheduler, 'cast from api: build')
    await scheduler.cast(AGENT, 'run')
    await hears(agent, 'cast from scheduler: run')
    await api.cast(AGENT, 'stop')
    await hears(agent, 'cast from api: stop')
    await agent.fanout('scheduler', 'alive')
    await hears(scheduler, 'fanout from compute.node-1.example.com: alive')
    expect(await agent.call(CONDUCTOR, 'save')).toBe('save yourself')
    expect(conductor.heard).toEqual(['call from compute.node-1.example.com: save'])
    for (const peer of [api, scheduler, conductor, agent, check]) {
      expect(await peer.transport.roundTrip()).toBeGreaterThanOrEqual(0)
      expect(peer.lines.filter((line) => line.includes('refuses us'))).toEqual([])
    }
    expect(auth.log()).toContain(
      'Let a client in sender=compute.node-1.example.com user=system:serviceaccount:kilonova-system:kilonova-compute',
    )
  })

  describe('refuses', () => {
    /** As anybody who has the CA's certificate can try. */
    const tryWith = async (options: object): Promise<unknown> => {
      const tls = { ca: readFileSync(world.keys.caFile, 'utf8') }
      return connect({ servers: nats.urls[0] ?? '', reconnect: false, name: 'eve', tls, ...options }).then(
        async (nc) => {
          await nc.close()
          return 'was let in'
        },
        (error: unknown) => error,
      )
    }

    it.each([
      { what: 'nobody', show: async () => ({}), says: 'it shows no token' },
      {
        what: 'a name and a password',
        show: async () => ({ user: 'api', pass: 'x' }),
        says: 'it shows no token',
      },
      {
        what: 'a token in the place of a password',
        show: async () => ({ user: 'api', pass: await world.token('api') }),
        says: 'it shows no token',
      },
      {
        what: 'an nkey that nobody knows',
        show: async () => ({ authenticator: nkeyAuthenticator(createUser().getSeed()) }),
        says: 'it shows no token',
      },
      { what: 'a token made up', show: async () => ({ token: 'garbage' }), says: 'invalid bearer token' },
      {
        what: 'a token of another audience',
        show: async () => ({ token: await world.token('api', { audience: 'vault' }) }),
        says: 'invalid bearer token',
      },
      {
        what: 'a token for the API server',
        show: async () => ({ token: await world.installation.token('api') }),
        says: 'invalid bearer token',
      },
      {
        what: 'the administrator of the cluster',
        show: async () => ({ token: world.plane.token }),
        says: /invalid bearer token|the token is not for the audience|does not know the token/,
      },
      {
        what: 'a service account of no service',
        show: async () => ({ token: await world.token('catalogue') }),
        says: 'user=system:serviceaccount:kilonova-system:kilonova-catalogue reason="no service has this service account"',
      },
      {
        what: "an agent's token that is bound to no Pod",
        show: async () => ({ token: await world.token('compute', { isUnbound: true }) }),
        says: 'the token is not bound to a Pod on a node',
      },
      {
        what: "an agent's token whose Pod is on no node",
        show: async () => ({ token: await world.token('compute') }),
        says: 'the token is not bound to a Pod on a node',
      },
      {
        what: "an agent's token whose Pod is gone",
        show: async () => {
          const token = await world.token('compute', { node: 'node-3' })
          await world.installation.removePods('compute')
          return { token }
        },
        says: 'invalid bearer token',
      },
    ])('$what', async ({ show, says }) => {
      const shown: { token?: string } = await show()
      const before = auth.log().length

      expect(await tryWith(shown)).toBeInstanceOf(AuthorizationError)

      const said = auth.log().slice(before)
      expect(said).toContain('WARNING nova.nats_auth [-] Refused a client client=eve from=127.0.0.1')
      expect(said).toMatch(says)
      const { token = 'none' } = shown
      if (token.length > 20) expect(auth.log()).not.toContain(token.slice(-20))
    })

    it('goes with the owner of the token: a service account that is gone', async () => {
      const token = await world.token('catalogue')
      await world.deleteObject('serviceaccounts', 'kilonova-catalogue')
      const before = auth.log().length
      await tryWith({ token })
      expect(auth.log().slice(before)).toContain('invalid bearer token')
    })
  })

  describe('an agent of one node', () => {
    let nc: NatsConnection
    let violations: string[]

    beforeEach(async () => {
      await enter({ service: 'api' })
      const ca = readFileSync(world.keys.caFile, 'utf8')
      const token = await world.tokenOf(NODE_1)
      nc = await connect({ servers: nats.urls[0] ?? '', reconnect: false, token, tls: { ca } })
      violations = []
      void (async () => {
        for await (const event of nc.status()) {
          if (event.type === 'error') violations.push(event.error.message)
        }
      })()
    })
    afterEach(() => nc.close())

    it.each([
      'kilonova.cast.compute.node-2.by.>',
      'kilonova.cast.>',
      'kilonova.call.conductor.by.>',
      '_INBOX.>',
      '_INBOX.compute.node-2.>',
      '_INBOX.conductor.>',
      '$SYS.REQ.USER.AUTH',
      '$JS.EVENT.>',
      '>',
    ])('cannot listen to %s', async (subject) => {
      nc.subscribe(subject)
      await eventually('the broker refuses it', () => violations.length > 0)
      expect(violations[0]).toContain(`Permissions Violation for Subscription to "${subject}"`)
    })

    it.each([
      'kilonova.call.conductor.by.compute.node-2',
      'kilonova.cast.scheduler.by.compute.node-2',
      'kilonova.cast.compute.node-2.by.compute.node-1_example_com',
      'kilonova.cast.scheduler.by.api',
      'kilonova.fanout.scheduler.by.compute.node-2',
      'kilonova.dead.compute.by.compute.node-2',
      '_INBOX.conductor.x',
      '$JS.API.CONSUMER.CREATE.KILONOVA_CASTS.compute-node-2.kilonova.cast.compute.node-2.by.>',
      '$JS.API.CONSUMER.CREATE.KILONOVA_CASTS.compute-node-1_example_com.kilonova.cast.compute.node-1_example_com.by.>',
      '$JS.API.CONSUMER.DURABLE.CREATE.KILONOVA_CASTS.compute-node-1_example_com',
      '$JS.API.CONSUMER.INFO.KILONOVA_CASTS.compute-node-2',
      '$JS.API.CONSUMER.MSG.NEXT.KILONOVA_CASTS.compute-node-2',
      '$JS.API.STREAM.PURGE.KILONOVA_CASTS',
      '$JS.API.STREAM.DELETE.KILONOVA_CASTS',
      '$JS.API.STREAM.MSG.GET.KILONOVA_CASTS',
      '$JS.API.DIRECT.GET.KILONOVA_CASTS',
      '$JS.ACK.KILONOVA_CASTS.compute-node-2.1.1.1.1.0',
      '$SYS.REQ.USER.AUTH',
      '$SYS.REQ.SERVER.PING',
    ])('cannot send to %s', async (subject) => {
      nc.publish(subject, '{}')
      await eventually('the broker refuses it', () => violations.length > 0)
      expect(violations[0]).toContain(`Permissions Violation for Publish to "${subject}"`)
    })
  })

  it('lets nats-auth itself answer and nothing else', async () => {
    const { 'user.nk': seed } = await world.keys.entries('secrets', 'kilonova-nats-auth')
    const nc = await connect({
      servers: nats.urls[0] ?? '',
      authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
      tls: { ca: readFileSync(world.keys.caFile, 'utf8') },
      reconnect: false,
    })
    const violations: string[] = []
    void (async () => {
      for await (const event of nc.status()) if (event.type === 'error') violations.push(event.error.message)
    })()
    const listening = ['>', '$SYS._INBOX.>', 'kilonova.>']
    const sending = [
      'kilonova.cast.scheduler.by.api',
      '$JS.API.STREAM.DELETE.KILONOVA_CASTS',
      '$SYS.REQ.SERVER.PING',
    ]
    for (const subject of listening) nc.subscribe(subject)
    for (const subject of sending) nc.publish(subject, '{}')

    await eventually('all is refused', () => violations.length === listening.length + sending.length)
    expect(new Set(violations.map((one) => one.match(/"(.*)"/)?.[1]))).toEqual(
      new Set([...listening, ...sending]),
    )
    await nc.close()
  })

  it('keeps what was cast over a kill of nats-server', async () => {
    const api = await enter({ service: 'api' })
    await enter({ service: 'conductor' })
    await api.cast({ topic: 'compute', host: NODE_2.host }, 'kept')

    await nats.kill()
    await nats.restart()

    const agent = await enter(NODE_2)
    await hears(agent, 'cast from api: kept')
  })

  it('that is killed leaves who is in, and lets others in when it is back', async () => {
    const [api, agent] = await enterAll()
    await auth.kill()

    await api.cast(AGENT, 'without it')
    await hears(agent, 'cast from api: without it')
    const late = await world.peer(nats, { service: 'scheduler' }, await world.token('scheduler'))
    const served = late.serve()
    await eventually('the late one waits', () => late.hasWaited)
    expect(late.isConnected).toBe(false)

    await auth.start()
    await served
    await api.cast(SCHEDULER, 'with it')
    await hears(late, 'cast from api: with it')
    expect([api.connections, agent.connections]).toEqual([1, 1])
  })

  it('without an API server leaves who is in, refuses others at once, says so once, and lets them in afterwards', async () => {
    const [api, agent] = await enterAll()
    const lateToken = await world.tokenOf(NODE_2)
    const otherToken = await world.token('scheduler')
    const before = auth.log().length
    await world.plane.kill()
    const late = await world.peer(nats, NODE_2, lateToken)
    const other = await world.peer(nats, { service: 'scheduler' }, otherToken)
    const served = Promise.all([late.serve(), other.serve()])
    try {
      await api.cast(AGENT, 'still here')
      await hears(agent, 'cast from api: still here')
      await eventually('both are refused', () => late.hasWaited && other.hasWaited)
      const said = auth.log().slice(before)
      expect(said.match(/Cannot ask the API server about tokens/g)).toHaveLength(1)
      expect(said).not.toContain('ERROR')
    } finally {
      await world.plane.restart()
    }
    await served
    expect(await late.call(CONDUCTOR, 'save')).toBe('save yourself')
    expect(auth.log().slice(before)).toContain('The API server answers about tokens again')
    expect([api.connections, agent.connections]).toEqual([1, 1])
  })

  it('is answered by any of its replicas, and by one when the others are gone', async () => {
    const second = await world.natsAuth('auth-2', nats)
    await second.start()
    const share = (process: ServiceProcess): number => process.log().match(/Let a client in/g)?.length ?? 0
    const first = share(auth)
    await eventually('both have let somebody in', async () => {
      await enter({ service: 'api' })
      return share(auth) > first && share(second) > 0
    })

    await auth.kill()
    await enter({ service: 'conductor' })
    await auth.start()
    await second.stop()
    await enter({ service: 'scheduler' })
    expect(second.log()).toContain('Stopping service=nova-nats-auth signal=SIGTERM')
    expect(second.log()).not.toContain('ERROR')
  })
})

describe.skipIf(needed !== undefined)('a session that ends', () => {
  let world: AuthWorld
  let nats: ChartNats

  beforeAll(async () => {
    world = await AuthWorld.start()
    await world.makeKeys()
    nats = await world.startNats()
    const auth = await world.natsAuth('auth', nats, ['--max-session', '3'])
    await auth.start()
  })
  afterAll(() => world?.stop())

  it('begins anew with the newest token, and no cast is lost meanwhile', async () => {
    const [api, agent] = await Promise.all([
      world.service(nats, { service: 'api' }),
      world.service(nats, NODE_1),
      world.service(nats, { service: 'conductor' }),
    ])
    // The first tokens are worth nothing any more: who comes again came with a newer one.
    for (const { sender } of [api, agent]) await world.installation.removePods(sender.service)
    for (const peer of [api, agent]) writeFileSync(peer.tokenFile, await world.tokenOf(peer.sender))

    const sent: string[] = []
    while (agent.connections < 3 || api.connections < 3) {
      const word = `${sent.length}`
      await api.cast(AGENT, word)
      sent.push(`cast from api: ${word}`)
    }

    await eventually('every cast arrived', () => new Set(agent.heard).size >= sent.length)
    expect(new Set(agent.heard)).toEqual(new Set(sent))
    expect(agent.lines.join('\n')).toContain('The message broker wants newer credentials')
    expect(agent.refusals).toBe(0)
  })
})
