import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { COMPUTE_NODE } from '../../src/apis/v1alpha1/compute-node.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import { VIRTUAL_MACHINE, type VirtualMachine } from '../../src/virt/kubevirt/resources.ts'
import { leave } from './audit.ts'
import { setGuests } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { type Guests, hostsOf, type MakeWorld, type World } from './world.ts'

/** Hosts that cannot build, and names that are taken. */
export function describeFailedBuilds(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')

  describe('a build that fails', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
    })
    afterEach(async () => {
      await Promise.all(hostsOf(world).map((host) => setGuests(world, host, null)))
    })
    afterAll(async () => {
      await leave(world)
    })

    ifSimulated('goes to the next host, leaves nothing on the first, and tells of both', async () => {
      project = await makeProject(world)
      // All hosts are empty and alike, so the first by name is the first that is tried.
      await setGuests(world, 'node-1', 'crashes-at-boot')

      const { status } = await project.launch('moved')

      expect(status).toMatchObject({ host: 'node-2', attempt: 2, triedHosts: ['node-1'] })
      expect(status.fault).toBeUndefined()
      const create = await project.actionEnd('moved', 'create')
      expect(create.status).toMatchObject({
        result: 'Success',
        placement: { host: 'node-2' },
        events: [
          { name: 'scheduler_select_destinations', result: 'Success' },
          {
            name: 'compute__do_build_and_run_instance',
            host: 'node-1',
            result: 'Error',
            details: expect.stringContaining('the guest ended before it ran'),
          },
          { name: 'scheduler_select_destinations', result: 'Success' },
          { name: 'compute__do_build_and_run_instance', host: 'node-2', result: 'Success' },
        ],
      })
      const [vm, ...others] = await project.virtualMachines()
      expect(others).toEqual([])
      expect(JSON.stringify(vm)).not.toContain('node-1')
      await removed('moved')
    })

    ifSimulated('ends in error after three hosts', async () => {
      project = await makeProject(world)
      await Promise.all(hostsOf(world).map((host) => setGuests(world, host, 'crashes-at-boot')))

      const { metadata } = await project.create('hopeless')

      const fault = await project.untilFault('hopeless')
      expect(fault).toMatchObject({ code: 500, reason: 'MaxRetriesExceeded' })
      expect(fault.message).toMatch(
        /^Exceeded maximum number of build attempts \(3\) on node-\d, node-\d, node-\d\. Last failure: Failed to deploy instance \S+ on node-\d: the guest ended before it ran/,
      )
      const { status } = await project.get('hopeless')
      expect(status.attempt).toBe(3)
      expect(new Set(status.triedHosts).size).toBe(3)
      expect(status.host).toBeUndefined()
      const create = await project.actionEnd('hopeless', 'create')
      const builds = create.status?.events?.filter(({ name }) => name.startsWith('compute__')) ?? []
      expect(builds.map(({ host, result }) => [host, result])).toEqual(
        status.triedHosts?.map((host) => [host, 'Error']),
      )
      expect(await project.virtualMachines()).toEqual([])
      expect((await project.event('hopeless', 'MaxRetriesExceeded')).message).toContain(metadata.uid)
      await removed('hopeless')
    })

    ifSimulated('gives the claim back on every host that failed', async () => {
      project = await makeProject(world)
      await Promise.all(hostsOf(world).map((host) => setGuests(world, host, 'crashes-at-boot')))
      await project.create('claimed')
      await project.untilFault('claimed')

      await eventually('no host has anything claimed', async () => {
        const { items } = await world.client.list(COMPUTE_NODE)
        return items.every(({ status }) => status?.usage?.memoryMb === 0)
      })
    })

    it('does not touch a VirtualMachine that is not ours, and says whose it is', async () => {
      project = await makeProject(world)
      const foreign = await world.client.create(VIRTUAL_MACHINE, foreignVm(project.namespace, 'taken'))

      await project.create('taken')

      const fault = await project.untilFault('taken')
      expect(fault).toMatchObject({
        code: 409,
        reason: 'InstanceExists',
        message: `VirtualMachine ${project.namespace}/taken already exists and is not this instance's (it has no owner); rename the instance or remove that VirtualMachine`,
      })
      expect((await project.get('taken')).status.host).toBeUndefined()
      await removed('taken')
      const { metadata, spec } = (await project.virtualMachine('taken')) ?? {}
      expect(metadata).toMatchObject({ uid: foreign.metadata.uid })
      expect(metadata?.deletionTimestamp).toBeUndefined()
      expect(spec).toEqual(foreign.spec)
    })

    async function removed(name: string): Promise<void> {
      await project.delete(name)
      await project.untilGone(name)
    }
  })
}

function foreignVm(namespace: string, name: string): VirtualMachine {
  const devices = { disks: [], interfaces: [] }
  return {
    apiVersion: apiVersionOf(VIRTUAL_MACHINE),
    kind: VIRTUAL_MACHINE.kind,
    metadata: { namespace, name },
    spec: {
      runStrategy: 'Halted',
      template: { spec: { domain: { devices, memory: { guest: '64Mi' } } } },
    },
  } as unknown as VirtualMachine
}
