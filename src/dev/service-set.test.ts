import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { FakeDriver } from '../virt/fake/driver.ts'
import { FakeHypervisor } from '../virt/fake/hypervisor.ts'
import { ServiceSet } from './service-set.ts'

const RESOURCES = { vcpus: 4, memoryMb: 8192, diskGb: 100, hypervisorType: 'fake', architecture: 'x86_64' }
const AGENT = 'nova-compute-node-1'

describe('a service of a set', () => {
  let folder: string
  let rpc: MemoryRpc
  let services: ServiceSet

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'service-set-'))
    const clock = new FakeClock()
    rpc = new MemoryRpc(clock)
    services = new ServiceSet(
      {
        clock,
        openClient: () => new MemoryKubeClient(),
        openTransport: (sender) => rpc.transport(sender),
        openDriver: ({ log }, { host }) =>
          new FakeDriver({ hypervisor: new FakeHypervisor(), clock, log }, { host, resources: RESOURCES }),
      },
      { hosts: ['node-1'], logFolder: folder, log: { format: 'text', level: 'info' }, env: {} },
    )
  })
  afterEach(async () => {
    await services.stopAll()
    await rpc.close()
    rmSync(folder, { recursive: true })
  })

  it.each(['stop', 'kill'] as const)(
    'that is told to %s while it starts is no error of its start',
    async (end) => {
      rpc.broker.disconnect()
      const started = services.start(AGENT)

      await services[end](AGENT)

      await expect(started).resolves.toBeUndefined()
    },
  )
})
