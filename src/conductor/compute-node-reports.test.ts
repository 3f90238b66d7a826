import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { makeContext } from '../testing/builders.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { ConductorWorld } from '../testing/conductor-world.ts'
import { FakeClock, settle } from '../testing/fake-clock.ts'
import { captureLog } from '../testing/log-capture.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { ComputeNodeReports } from './compute-node-reports.ts'
import type { ComputeNodeReport, ConductorRpcApi } from './rpcapi.ts'

const NOW = '2026-01-01T00:00:00.000Z'
const ctx = makeContext()

let world: ConductorWorld
/** The conductor as the agent of node-1 has it. */
let conductor: ConductorRpcApi

useKube()

beforeEach(async () => {
  world = new ConductorWorld(kube)
  await world.start()
  conductor = world.agent('node-1')
})
afterEach(async () => {
  vi.restoreAllMocks()
  await world.close()
  for (const { metadata } of (await kube.client.list(COMPUTE_NODE)).items)
    await kube.client.delete(COMPUTE_NODE, metadata)
})

describe('the report of a host', () => {
  const REPORT: ComputeNodeReport = {
    host: 'node-1',
    version: '0.1.0',
    hypervisorType: 'kvm',
    architecture: 'x86_64',
    hostIp: '10.0.0.1',
    availabilityZone: 'west',
    inventory: { vcpus: 8, memoryMb: 32_768, diskGb: 500 },
    usage: { vcpus: 1, memoryMb: 512, diskGb: 1, runningVms: 1 },
  }

  it('makes a ComputeNode of a host that is new, enabled and up', async () => {
    await conductor.computeNodeReport(ctx, REPORT)

    const { host: _, ...facts } = REPORT
    const { spec, status } = await kube.client.get(COMPUTE_NODE, { name: 'node-1' })
    expect(spec).toMatchObject({ disabled: false, forcedDown: false })
    expect(status).toEqual({ ...facts, state: 'up', reportedAt: NOW })
  })

  it('is written into the ComputeNode that is there, with what the operator said of it kept', async () => {
    await kube.putNode({ spec: { disabled: true, disabledReason: 'new disks' } })
    await conductor.computeNodeReport(ctx, REPORT)
    const { spec, status } = await kube.client.get(COMPUTE_NODE, { name: 'node-1' })
    expect(spec).toMatchObject({ disabled: true, disabledReason: 'new disks' })
    expect(status).toMatchObject({ usage: REPORT.usage, availabilityZone: 'west' })
  })

  it('leaves nothing of an address that the host has no more', async () => {
    await conductor.computeNodeReport(ctx, REPORT)
    const { hostIp: _, ...without } = REPORT

    await conductor.computeNodeReport(ctx, without)

    const { status } = await kube.client.get(COMPUTE_NODE, { name: 'node-1' })
    expect(status).not.toHaveProperty('hostIp')
  })

  it('does not say that a host is up which the service group has down', async () => {
    const down = { state: 'down', stateReason: 'forced down' } as const
    await kube.putNode({ spec: { forcedDown: true }, status: down })
    await conductor.computeNodeReport(ctx, REPORT)
    const { status } = await kube.client.get(COMPUTE_NODE, { name: 'node-1' })
    expect(status).toMatchObject({ ...down, usage: REPORT.usage })
  })

  it('is of the host that sends it, whatever it says', async () => {
    await world.agent('node-2').computeNodeReport(ctx, { ...REPORT, host: 'node-1' })
    const { items } = await kube.client.list(COMPUTE_NODE)
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['node-2'])
  })

  it('comes through when another conductor registers the host at the same time', async () => {
    vi.spyOn(kube.client, 'create').mockImplementationOnce(async (type, node) => {
      await kube.putNode({ name: 'node-1' })
      return kube.client.create(type, node)
    })
    await conductor.computeNodeReport(ctx, REPORT)
    expect((await kube.client.get(COMPUTE_NODE, { name: 'node-1' })).status?.usage).toEqual(REPORT.usage)
  })

  describe('of a host whose last one is not written yet', () => {
    /** What the API server was asked to write, and what lets it answer. */
    let asked: { readonly vcpus: unknown; readonly answer: (error?: Error) => void }[]
    let reports: ComputeNodeReports
    let clock: FakeClock

    beforeEach(() => {
      asked = []
      const client = Object.create(kube.client) as typeof kube.client
      client.mergePatch = async (_type, _ref, patch) => {
        const { promise, resolve, reject } = Promise.withResolvers<never>()
        const { usage } = Reflect.get(patch, 'status')
        const answer = (error?: Error): void => (error ? reject(error) : resolve(undefined as never))
        asked.push({ vcpus: usage.vcpus, answer })
        return promise
      }
      clock = new FakeClock()
      reports = new ComputeNodeReports({ client, clock, log: captureLog().log })
    })

    const using = (vcpus: number, host = 'node-1'): ComputeNodeReport => ({
      ...REPORT,
      host,
      usage: { ...REPORT.usage, vcpus },
    })

    it('waits, and only the newest: the others would be written over', async () => {
      const ends = [1, 2, 3, 4].map(async (vcpus) => reports.receive(ctx, using(vcpus)))
      await settle()
      expect(asked.map(({ vcpus }) => vcpus)).toEqual([1])
      // Whoever sent them has long asked again.
      await Promise.all([ends[1], ends[2]])

      asked[0]?.answer()
      await ends[0]
      await until('the newest is written', () => asked.length === 2)
      asked[1]?.answer()
      await ends[3]

      expect(asked.map(({ vcpus }) => vcpus)).toEqual([1, 4])
    })

    it('is written whatever became of that one', async () => {
      const first = reports.receive(ctx, using(1))
      const second = reports.receive(ctx, using(2))
      await settle()
      asked[0]?.answer(new Error('no'))

      await expect(first).rejects.toThrow('no')
      await until('the newest is written', () => asked.length === 2)
      asked[1]?.answer()
      await second
    })

    it('is not written when its sender waits no more: what it sent since may be written by another conductor', async () => {
      const hurried = { ...ctx, deadlineMs: clock.now() + 60_000 }
      const first = reports.receive(hurried, using(1))
      const second = reports.receive(hurried, using(2))
      await settle()
      await clock.advance(60_000)

      asked[0]?.answer()

      await first
      await expect(second).rejects.toThrow(KubernetesUnavailable)
      expect(asked.map(({ vcpus }) => vcpus)).toEqual([1])
    })

    it('is written when its sender never waited by this clock: theirs are apart', async () => {
      const late = { ...ctx, deadlineMs: clock.now() - 1 }
      const first = reports.receive(late, using(1))
      const second = reports.receive(late, using(2))
      await settle()
      asked[0]?.answer()
      await until('the newest is written', () => asked.length === 2)
      asked[1]?.answer()
      await Promise.all([first, second])
    })

    it('does not wait for those of other hosts, as long as they are few', async () => {
      for (let n = 1; n <= 12; n++) void reports.receive(ctx, using(n, `node-${n}`))
      await settle()
      expect(asked).toHaveLength(8)

      for (const { answer } of asked) answer()

      await until('the rest are written', () => asked.length === 12)
    })
  })
})
