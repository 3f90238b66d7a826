import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { RandomIds } from '../common/ids.ts'
import type { ComputeNodeReport } from '../conductor/rpcapi.ts'
import { type Agent, ComputeWorld } from '../testing/compute-world.ts'
import { settle } from '../testing/fake-clock.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { ResourceReporter } from './resource-reporter.ts'

const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const OPTIONS = {
  host: 'node-1',
  version: '0.1.0',
  reportIntervalMs: 10_000,
  updateResourcesIntervalMs: 60_000,
}

let world: ComputeWorld
let agent: Agent
let reporter: ResourceReporter

useKube()
beforeEach(async () => {
  world = new ComputeWorld(kube)
  await world.start()
  agent = world.agent()
  reporter = new ResourceReporter(
    { ...agent, clock: world.clock, ids: new RandomIds(), log: world.logs.log },
    OPTIONS,
  )
})
afterEach(async () => {
  reporter.stop()
  await world.close()
  for (const { metadata } of (await kube.client.list(COMPUTE_NODE)).items)
    await kube.client.delete(COMPUTE_NODE, metadata)
})

async function node(): Promise<ComputeNode> {
  return kube.client.get(COMPUTE_NODE, { name: 'node-1' })
}

describe('an agent', () => {
  it('registers its host with what it has, and says that it is alive', async () => {
    await reporter.start()

    expect((await node()).status).toMatchObject({
      state: 'up',
      version: '0.1.0',
      hypervisorType: 'fake',
      architecture: 'x86_64',
      availabilityZone: 'nova',
      inventory: { vcpus: 8, memoryMb: 16_384, diskGb: 100 },
      usage: { vcpus: 0, memoryMb: 0, diskGb: 0, runningVms: 0 },
    })
    await until('the heartbeat is heard', () => world.heartbeats.length === 1)
    expect(world.heartbeats).toEqual(['node-1'])
  })

  it('says so again every ten seconds, without a write where nothing changed', async () => {
    await reporter.start()
    const before = await node()
    for (let n = 0; n < 6; n++) await world.clock.advance(10_000)
    await until('the heartbeats are heard', () => world.heartbeats.length === 7)
    expect(await node()).toEqual(before)
  })

  it('tells of usage that changed', async () => {
    await reporter.start()
    agent.tracker.adopt('a', FLAVOR)
    world.hypervisor.define({ namespace: 'default', name: 'a', uid: 'a' }, 'node-1')
    world.hypervisor.boot({ namespace: 'default', name: 'a' })

    await world.clock.advance(10_000)

    const wanted = { vcpus: 1, memoryMb: 512, diskGb: 1, runningVms: 1 }
    await until('it is written', async () => (await node()).status?.usage?.vcpus === 1)
    expect((await node()).status?.usage).toEqual(wanted)
  })

  it('reports anew, when asked, what nobody changed: its ComputeNode was removed', async () => {
    await reporter.start()
    const before = (await node()).status
    await kube.client.delete(COMPUTE_NODE, { name: 'node-1' })
    await world.clock.advance(10_000)

    await reporter.reportAnew()

    const { reportedAt: _, ...facts } = (await node()).status ?? {}
    expect(before).toMatchObject(facts)
    expect(facts).toMatchObject({ state: 'up', inventory: { vcpus: 8, memoryMb: 16_384, diskGb: 100 } })
  })

  describe('whose conductor takes its time', () => {
    /** What the conductor was asked to write, and what lets it answer. */
    let asked: { readonly report: ComputeNodeReport; readonly answer: () => void }[]

    beforeEach(async () => {
      await reporter.start()
      asked = []
      vi.spyOn(agent.conductor, 'computeNodeReport').mockImplementation(async (_ctx, report) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        asked.push({ report, answer: resolve })
        return promise
      })
    })

    it('asks it one thing at a time, and tells it last how things are then', async () => {
      for (const uid of ['a', 'b', 'c']) {
        agent.tracker.adopt(uid, FLAVOR)
        await world.clock.advance(10_000)
      }
      await until('it was asked', () => asked.length > 0)
      expect(asked).toHaveLength(1)

      asked[0]?.answer()

      await until('it is asked again', () => asked.length === 2)
      asked[1]?.answer()
      await world.clock.advance(10_000)
      await settle()
      expect(asked.map(({ report }) => report.usage.vcpus)).toEqual([1, 3])
    })

    it('reports anew what was being reported when that was asked for', async () => {
      agent.tracker.adopt('a', FLAVOR)
      await world.clock.advance(10_000)
      await until('it was asked', () => asked.length === 1)

      const anew = reporter.reportAnew()
      asked[0]?.answer()

      await until('it is asked again', () => asked.length === 2)
      expect(asked[1]?.report).toEqual(asked[0]?.report)
      asked[1]?.answer()
      await anew
    })

    it.each(Array.from({ length: 12 }, (_, n) => n))(
      'reports anew when that is asked for %i microtasks after its answer',
      async (microtasks) => {
        const first = reporter.reportAnew()
        await until('it was asked', () => asked.length === 1)

        asked[0]?.answer()
        for (let n = 0; n < microtasks; n++) await Promise.resolve()
        const second = reporter.reportAnew()

        await until('it is asked again', () => asked.length === 2)
        asked[1]?.answer()
        await Promise.all([first, second])
      },
    )
  })

  it('goes on when it could not look at its host once', async () => {
    await reporter.start()
    agent.driver.failNext('listInstances', new Error('no answer'))
    agent.tracker.adopt('a', FLAVOR)
    await world.clock.advance(10_000)
    await until('it is said', () => world.logs.at('DEBUG').some((line) => line.includes('no answer')))
    await world.clock.advance(10_000)
    await until('it is written', async () => (await node()).status?.usage?.vcpus === 1)
  })

  it('is silent once it stopped', async () => {
    await reporter.start()
    reporter.stop()
    expect(world.clock.timers).toBe(0)
  })
})
