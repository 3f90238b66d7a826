import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requestIdOf } from '../../src/common/ids.ts'
import { leave } from './audit.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { type Guests, hostsOf, type MakeWorld, type World } from './world.ts'

/** The two walks at the heart, and what is around them. */
export function describeLifeCycle(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  describe('an instance’s life', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
    })
    afterAll(() => leave(world))

    it('launches: the instance is active on a host, with an address, and its VM is pinned there', async () => {
      await project.create('web')

      const { status, metadata } = await project.untilState('web', 'active')

      expect(status).toMatchObject({ status: 'ACTIVE', powerState: 'RUNNING', attempt: 1, id: metadata.uid })
      expect(world.services.names).toContain(`nova-compute-${status.host}`)
      expect(status.addresses?.[0]?.address).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
      expect(status.flavor).toEqual({ name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1, extraSpecs: {} })
      expect(JSON.stringify(await project.virtualMachines())).toContain(`"${status.host}"`)
    })

    it('launches on the host that is asked for', async () => {
      const hosts = hostsOf(world)

      await Promise.all(hosts.map((host) => project.create(`on-${host}`, { requestedHost: host })))

      for (const host of hosts) {
        const { status } = await project.untilState(`on-${host}`, 'active')
        expect(status).toMatchObject({ host, attempt: 1 })
      }
    })

    it('is followed through every service by one request id', async () => {
      const { status, metadata } = await project.launch('traced')
      const requestId = requestIdOf(metadata.uid ?? '', 1)
      await project.actionEnd('traced', 'create')

      expect(status.requestId).toBe(requestId)
      for (const name of ['nova-api', 'nova-scheduler', 'nova-conductor', `nova-compute-${status.host}`]) {
        await eventually(
          `${name} has told of it`,
          () => infoLines(world.services.log(name), requestId).length > 0,
        )
      }
    })

    it('shuts off without the scheduler, and starts again, keeping host and claim', async () => {
      const { status: before } = await project.launch('shut')
      const schedulerBefore = world.services.log('nova-scheduler')

      await project.patch('shut', { powerState: 'Shutdown' })
      const { status: off, metadata } = await project.untilState('shut', 'stopped')

      expect(off).toMatchObject({ status: 'SHUTOFF', powerState: 'SHUTDOWN', host: before.host })
      const requestId = requestIdOf(metadata.uid ?? '', 2)
      expect(off.requestId).toBe(requestId)
      expect(world.services.log('nova-scheduler').slice(schedulerBefore.length)).not.toContain(requestId)

      await project.patch('shut', { powerState: 'Running' })
      const { status: on } = await project.untilState('shut', 'active')
      expect(on).toMatchObject({ status: 'ACTIVE', powerState: 'RUNNING', host: before.host })
    })

    it('records each operation with its events, host and result', async () => {
      const { status } = await project.launch('recorded')
      await project.patch('recorded', { powerState: 'Shutdown' })
      await project.untilState('recorded', 'stopped')

      const create = await project.actionEnd('recorded', 'create')
      const stop = await project.actionEnd('recorded', 'stop')

      expect(create.status).toMatchObject({
        result: 'Success',
        placement: { host: status.host, considered: hostsOf(world).length },
        events: [
          { name: 'scheduler_select_destinations', result: 'Success' },
          { name: 'compute__do_build_and_run_instance', host: status.host, result: 'Success' },
        ],
      })
      expect(stop.status).toMatchObject({
        result: 'Success',
        events: [{ name: 'compute_stop_instance', host: status.host, result: 'Success' }],
      })
    })

    it('deletes: no VM, no finalizer, and the claim is free again', async () => {
      await project.launch('gone')
      await project.delete('gone')

      await project.untilGone('gone')

      const names = (await project.virtualMachines()).map(({ metadata }) => metadata.name)
      expect(names).not.toContain('gone')
      expect((await project.actionEnd('gone', 'delete')).status?.result).toBe('Success')
    })

    it('launches what was created to be shut off, then shuts it off', async () => {
      await project.create('born-off', { powerState: 'Shutdown' })

      const { status } = await project.untilState('born-off', 'stopped')

      expect(status.launchedAt).toBeDefined()
    })

    it.runIf(guests === 'simulated')(
      'becomes stopped by an operation of its own when the guest shuts itself down',
      async () => {
        await project.launch('self')

        await world.standIn.guestPowersOff({ namespace: project.namespace, name: 'self' })

        const { spec } = await project.untilState('self', 'stopped')
        expect(spec.powerState).toBe('Shutdown')
        expect((await project.actionEnd('self', 'stop')).status?.result).toBe('Success')
      },
    )
  })
}

function infoLines(log: string, requestId: string): readonly string[] {
  return log.split('\n').filter((line) => line.includes(requestId) && line.includes(' INFO '))
}
