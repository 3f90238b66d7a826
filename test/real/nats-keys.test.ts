import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

  it('that is only to renew, and may do no more, looks at what it may and leaves it', async () => {
    await world.makeKeys()
    const made = await all()
    expect(await world.renewKeys()).not.toContain('Wrote')
    expect(await all()).toEqual(made)
  })
})
