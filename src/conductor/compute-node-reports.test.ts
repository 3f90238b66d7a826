import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { makeContext } from '../testing/builders.ts'
import { ConductorWorld } from '../testing/conductor-world.ts'
import { kube, useKube } from '../testing/use-kube.ts'
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

  it('comes through when two register the host at once', async () => {
    await Promise.all([conductor.computeNodeReport(ctx, REPORT), conductor.computeNodeReport(ctx, REPORT)])
    expect((await kube.client.get(COMPUTE_NODE, { name: 'node-1' })).status?.usage).toEqual(REPORT.usage)
  })
})
