import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KubernetesUnavailable, ServiceStopping } from '../common/errors/unavailable.ts'
import { RandomIds } from '../common/ids.ts'
import {
  CONDUCTOR_RPC_VERSION,
  CONDUCTOR_TOPIC,
  computeNodeReport,
  instanceGetByHost,
} from '../conductor/rpcapi.ts'
import { COMPUTE_SETTINGS } from '../conf/compute.ts'
import { readOptions } from '../conf/options.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { FakeDriver } from '../virt/fake/driver.ts'
import { FakeHypervisor } from '../virt/fake/hypervisor.ts'
import { buildCompute } from './compute.ts'
import type { Service } from './service.ts'

const HOST = 'node-1'
const RESOURCES = { vcpus: 4, memoryMb: 8192, diskGb: 100, hypervisorType: 'fake', architecture: 'x86_64' }

describe('nova-compute, stopped while it starts,', () => {
  let clock: FakeClock
  let rpc: MemoryRpc
  let logs: LogCapture
  let driver: FakeDriver
  let service: Service

  beforeEach(() => {
    clock = new FakeClock()
    rpc = new MemoryRpc(clock)
    logs = captureLog()
    driver = new FakeDriver(
      { hypervisor: new FakeHypervisor(), clock, log: logs.log },
      { host: HOST, resources: RESOURCES },
    )
    const settings = { ...readOptions(COMPUTE_SETTINGS, [], {}), host: HOST }
    const transport = rpc.transport({ service: 'compute', host: HOST })
    service = buildCompute({ driver, transport, clock, ids: new RandomIds(), log: logs.log }, settings)
  })
  afterEach(() => rpc.close())

  /** A conductor that begins each answer, and ends it when it is let go. */
  class SlowConductor {
    readonly asked: string[] = []
    readonly #gates = new Map<string, PromiseWithResolvers<void>>()

    async serve(): Promise<void> {
      await rpc.serve({ target: { topic: CONDUCTOR_TOPIC }, version: CONDUCTOR_RPC_VERSION }, (server) => {
        server
          .handle(instanceGetByHost, async () => {
            await this.#pass(instanceGetByHost.name)
            return []
          })
          .handle(computeNodeReport, async () => this.#pass(computeNodeReport.name))
      })
    }

    holdUp(method: { readonly name: string }): void {
      this.#gates.set(method.name, Promise.withResolvers())
    }

    letGo(): void {
      for (const gate of this.#gates.values()) gate.resolve()
    }

    async #pass(method: string): Promise<void> {
      this.asked.push(method)
      await this.#gates.get(method)?.promise
    }
  }

  const said = (what: string) => () => logs.lines.some((line) => line.includes(what))
  const asked =
    (conductor: SlowConductor, { name }: { readonly name: string }) =>
    () =>
      conductor.asked.includes(name)

  it.each([
    {
      what: 'the broker',
      arrange: () => {
        rpc.broker.disconnect()
        return () => true
      },
    },
    { what: 'a conductor that is not there', arrange: () => said('Waiting for the conductor') },
    {
      what: 'the hypervisor',
      arrange: async (conductor: SlowConductor) => {
        await conductor.serve()
        driver.failNext('getAvailableResource', new KubernetesUnavailable({ reason: 'not yet' }))
        return said('Waiting for the hypervisor')
      },
    },
    {
      what: "the conductor's word on its instances",
      arrange: async (conductor: SlowConductor) => {
        await conductor.serve()
        conductor.holdUp(instanceGetByHost)
        return asked(conductor, instanceGetByHost)
      },
    },
    {
      what: 'the conductor to write its host down',
      arrange: async (conductor: SlowConductor) => {
        await conductor.serve()
        conductor.holdUp(computeNodeReport)
        return asked(conductor, computeNodeReport)
      },
    },
  ])('waits for $what no more, and does nothing afterwards', async ({ arrange }) => {
    const conductor = new SlowConductor()
    const waits = await arrange(conductor)
    const refused = expect(service.start()).rejects.toThrow(ServiceStopping)
    await expect.poll(waits, { timeout: 10_000, interval: 1 }).toBe(true)

    await service.stop()
    conductor.letGo()

    await refused
    expect(clock.timers).toBe(0)
    expect(logs.lines.filter((line) => line.includes('Started nova-compute'))).toEqual([])
    expect(service.checks.find(({ name }) => name === 'hypervisor')?.isReady()).toBe(false)
  })
})
