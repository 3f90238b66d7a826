import { createPrivateKey, X509Certificate } from 'node:crypto'
import { fromCurveSeed, fromSeed } from '@nats-io/nkeys'
import { beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { NatsKeys } from './nats-keys.ts'
import { SECRET } from './objects.ts'
import { type Entries, EntryStore } from './store.ts'

const DAY_MS = 24 * 3600_000
const YEAR_MS = 365 * DAY_MS
const NAMES = ['kilonova-nats.default.svc', '*.kilonova-nats-headless.default.svc', '127.0.0.1']
const certificates = (bundle = ''): X509Certificate[] =>
  (bundle.match(/-----BEGIN[^]+?-----END CERTIFICATE-----/g) ?? []).map((pem) => new X509Certificate(pem))

describe('the keys of NATS', () => {
  let client: MemoryKubeClient
  let clock: FakeClock
  let log: LogCapture
  let store: EntryStore

  beforeEach(() => {
    client = new MemoryKubeClient()
    clock = new FakeClock()
    log = captureLog()
    store = new EntryStore({ client }, { namespace: 'default' })
  })

  const keysFor = (serverNames: readonly string[], own = client): NatsKeys =>
    new NatsKeys(
      { client: own, clock, log: log.log },
      { namespace: 'default', namePrefix: 'kilonova', serverNames },
    )
  const ensure = (serverNames: readonly string[] = NAMES): Promise<void> => keysFor(serverNames).ensure()
  const secret = async (name: string): Promise<Entries> => (await store.secret(`kilonova-${name}`)).entries
  const bundle = async (): Promise<string> => {
    return (await store.configMap('kilonova-nats-ca')).entries['ca.crt'] ?? ''
  }
  const all = async (): Promise<unknown> => [
    await secret('nats-auth'),
    await secret('nats-server'),
    await secret('nats-ca-key'),
    await bundle(),
  ]
  const writes = (): number => client.requests.filter((one) => !one.startsWith('get')).length

  it('are made where there are none, and fit together', async () => {
    await ensure()

    const seeds = await secret('nats-auth')
    expect(Object.keys(seeds)).toEqual(['issuer.nk', 'user.nk', 'xkey.nk'])
    const bytes = (name: string): Uint8Array => new TextEncoder().encode(seeds[name])
    const server = await secret('nats-server')
    expect(server).toMatchObject({
      ISSUER: fromSeed(bytes('issuer.nk')).getPublicKey(),
      AUTH_USER: fromSeed(bytes('user.nk')).getPublicKey(),
      XKEY: fromCurveSeed(bytes('xkey.nk')).getPublicKey(),
    })
    const certificate = new X509Certificate(server['tls.crt'] ?? '')
    const [authority] = certificates(await bundle())
    expect(authority && certificate.checkIssued(authority)).toBe(true)
    expect(certificate.checkPrivateKey(createPrivateKey(server['tls.key'] ?? ''))).toBe(true)
    expect(certificate.subjectAltName).toBe(
      'DNS:kilonova-nats.default.svc, DNS:*.kilonova-nats-headless.default.svc, IP Address:127.0.0.1',
    )
    expect(Date.parse(certificate.validTo) - clock.now()).toBe(5 * YEAR_MS)
    expect((await secret('nats-ca-key'))['tls.crt']).toBe(await bundle())
  })

  it('are left as they are while they are good', async () => {
    await ensure()
    const before = await all()
    const wrote = writes()
    await clock.advance(YEAR_MS)

    await ensure()
    await ensure([NAMES[0] ?? ''])

    expect(await all()).toEqual(before)
    expect(writes()).toBe(wrote)
  })

  it.each(['issuer.nk', 'user.nk', 'xkey.nk'])('%s that is missing is made, and no other', async (name) => {
    await ensure()
    const { [name]: _lost, ...others } = await secret('nats-auth')
    await client.delete(SECRET, { namespace: 'default', name: 'kilonova-nats-auth' })
    await (await store.secret('kilonova-nats-auth')).write(others)

    await ensure()

    expect(await secret('nats-auth')).toEqual({ ...others, [name]: expect.stringMatching(/^S[AUX]/) })
    expect(log.at('WARNING')).toEqual([expect.stringContaining('when it is restarted')])
  })

  it('that are none are not replaced', async () => {
    await (await store.secret('kilonova-nats-auth')).write({ 'issuer.nk': 'what somebody typed' })

    await expect(ensure()).rejects.toThrow(
      'Secret default/kilonova-nats-auth: issuer.nk is no seed of its kind; remove it from the Secret to have a new one made',
    )

    expect(await secret('nats-auth')).toEqual({ 'issuer.nk': 'what somebody typed' })
    expect(await secret('nats-server')).toEqual({})
  })

  it('of the one kind are not taken for the other', async () => {
    await ensure()
    const seeds = await store.secret('kilonova-nats-auth')
    await seeds.write({ 'issuer.nk': seeds.entries['user.nk'] ?? '' })
    await expect(ensure()).rejects.toThrow('issuer.nk is no seed of its kind')
  })

  describe('the certificate of the servers', () => {
    const certificate = async (): Promise<X509Certificate> =>
      new X509Certificate((await secret('nats-server'))['tls.crt'] ?? '')

    it('is renewed when less than a third of its life is left, by the same authority', async () => {
      await ensure()
      const [first, trusted] = [await certificate(), await bundle()]
      await clock.advance((5 * YEAR_MS * 2) / 3 - 2 * DAY_MS)
      await ensure()
      expect((await certificate()).fingerprint256).toBe(first.fingerprint256)

      await clock.advance(3 * DAY_MS)
      await ensure()
      const second = await certificate()
      expect(second.fingerprint256).not.toBe(first.fingerprint256)
      expect(Date.parse(second.validTo)).toBe(clock.now() + 5 * YEAR_MS)
      expect(await bundle()).toBe(trusted)
      expect(log.at('INFO').at(-1)).toContain('why="less than a third of its life is left"')
    })

    it.each([
      { what: 'it lacks a name', spoil: {}, names: [...NAMES, 'nats.example.com'], why: 'nats.example.com' },
      { what: 'its key is another', spoil: { 'tls.key': 'not a key' }, names: NAMES, why: 'its key' },
      { what: 'it is none', spoil: { 'tls.crt': 'not a certificate' }, names: NAMES, why: 'there is none' },
    ])('is made anew when $what', async ({ spoil, names, why }) => {
      await ensure()
      const { ISSUER } = await secret('nats-server')
      await (await store.secret('kilonova-nats-server')).write(spoil)

      await ensure(names)

      const made = await secret('nats-server')
      expect(new X509Certificate(made['tls.crt'] ?? '').subjectAltName).toContain(names.at(-1))
      expect(
        new X509Certificate(made['tls.crt'] ?? '').checkPrivateKey(createPrivateKey(made['tls.key'] ?? '')),
      ).toBe(true)
      expect(made['ISSUER']).toBe(ISSUER)
      expect(log.at('INFO').at(-1)).toContain(why)
    })

    it('is made anew when its authority was lost, key and bundle', async () => {
      await ensure()
      const first = await certificate()
      await client.delete(SECRET, { namespace: 'default', name: 'kilonova-nats-ca-key' })
      await (await store.configMap('kilonova-nats-ca')).write({ 'ca.crt': '' })

      await ensure()

      const second = await certificate()
      expect(second.fingerprint256).not.toBe(first.fingerprint256)
      expect(certificates(await bundle()).map((one) => second.checkIssued(one))).toEqual([true])
    })
  })

  describe('the authority', () => {
    it('is renewed in time, and the old one is trusted as long as what it signed', async () => {
      await ensure()
      // The servers' certificate is renewed on the way, as it would be.
      await clock.advance(4 * YEAR_MS)
      await ensure()
      const certificate = new X509Certificate((await secret('nats-server'))['tls.crt'] ?? '')
      await clock.advance(3 * YEAR_MS)
      await ensure()

      const trusted = certificates(await bundle())
      expect(trusted).toHaveLength(2)
      expect(trusted.map((one) => certificate.checkIssued(one))).toEqual([false, true])
      expect((await secret('nats-server'))['tls.crt']).toBe(certificate.toString())
      expect(new Set(trusted.map(({ subject }) => subject)).size).toBe(2)

      await clock.advance(4 * YEAR_MS)
      await ensure()
      const server = new X509Certificate((await secret('nats-server'))['tls.crt'] ?? '')
      expect(certificates(await bundle()).map((one) => server.checkIssued(one))).toEqual([true])
    })

    it('signs nothing that is good for longer than itself', async () => {
      await ensure()
      await clock.advance(6 * YEAR_MS)
      await ensure([...NAMES, 'another.example.com'])
      const server = new X509Certificate((await secret('nats-server'))['tls.crt'] ?? '')
      const [authority] = certificates(await bundle())
      expect(server.validTo).toBe(authority?.validTo)
    })

    it('comes back into a bundle that was lost', async () => {
      await ensure()
      const before = await all()
      await (await store.configMap('kilonova-nats-ca')).write({ 'ca.crt': '' })
      await ensure()
      expect(await all()).toEqual(before)
    })
  })

  describe('that are only to be renewed', () => {
    const renew = (): Promise<void> => keysFor(NAMES).renew()

    it('have a new certificate when less than a third of its life is left, and nothing else', async () => {
      await ensure()
      const { 'tls.crt': first, 'tls.key': _key, ...others } = await secret('nats-server')
      const [seeds, trusted] = [await secret('nats-auth'), await bundle()]
      await clock.advance(3 * YEAR_MS)
      await renew()
      expect((await secret('nats-server'))['tls.crt']).toBe(first)

      await clock.advance(YEAR_MS)
      await renew()

      const renewed = await secret('nats-server')
      const certificate = new X509Certificate(renewed['tls.crt'] ?? '')
      expect(Date.parse(certificate.validTo)).toBe(clock.now() + 5 * YEAR_MS)
      expect(certificate.checkPrivateKey(createPrivateKey(renewed['tls.key'] ?? ''))).toBe(true)
      expect(renewed).toMatchObject(others)
      expect([await secret('nats-auth'), await bundle()]).toEqual([seeds, trusted])
      expect(log.at('WARNING')).toEqual([])
    })

    it('need no look at the seeds', async () => {
      await ensure()
      await clock.advance(4 * YEAR_MS)
      const before = client.requests.length
      await renew()
      expect(client.requests.slice(before).join()).toContain('replace Secret/kilonova-nats-server')
      expect(client.requests.slice(before).join()).not.toContain('kilonova-nats-auth')
    })

    it('are not made when they are missing', async () => {
      await ensure()
      await client.delete(SECRET, { namespace: 'default', name: 'kilonova-nats-ca-key' })
      const wrote = writes()

      await expect(renew()).rejects.toThrow(
        'Secret kilonova-nats-ca-key: not there; `helm upgrade` makes what is missing',
      )

      expect(writes()).toBe(wrote)
    })
  })

  it('are the same for all that make them at once', async () => {
    await Promise.all(Array.from({ length: 4 }, () => keysFor(NAMES, client.connect()).ensure()))
    const made = await all()
    const wrote = writes()

    await ensure()

    expect(await all()).toEqual(made)
    expect(writes()).toBe(wrote)
  })

  it('wait for nobody: an API server that is away is told at once', async () => {
    client.failure = new Error('connection refused')
    await expect(ensure()).rejects.toThrow('connection refused')
  })
})
