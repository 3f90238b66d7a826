import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { isNotFound } from '../../src/kube/api-error.ts'
import { leave } from './audit.ts'
import { setGuest } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { BREAKABLE, type Guests, type MakeWorld, type World } from './world.ts'

/** What guests, and those who reach around us, do. */
export function describeGuests(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')

  describe('a guest', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      // Guests that take time: only these can pay no heed.
      world = await makeWorld(BREAKABLE)
      project = await makeProject(world)
    })
    afterAll(async () => {
      await leave(world)
    })

    ifSimulated('that pays no heed to a shutdown is forced off after the timeout', async () => {
      const { status, metadata } = await project.launch('stubborn')
      await setGuest(world, ref('stubborn'), 'stubborn')

      await project.patch('stubborn', { powerState: 'Shutdown' })

      await project.untilState('stubborn', 'stopped')
      expect((await project.actionEnd('stubborn', 'stop')).status?.result).toBe('Success')
      await eventually('the agent says so', () =>
        linesAbout(`nova-compute-${status.host}`, metadata.uid).some((line) =>
          line.includes('The guest did not shut down in time: forcing it off'),
        ),
      )
    })

    ifSimulated('that shuts itself down makes its instance stopped, and stays off', async () => {
      await project.launch('self')

      await world.standIn.guestPowersOff(ref('self'))

      const { spec, status } = await project.untilState('self', 'stopped')
      expect(spec.powerState).toBe('Shutdown')
      const stop = await project.actionEnd('self', 'stop')
      expect(stop).toMatchObject({ spec: { requestId: status.requestId }, status: { result: 'Success' } })
      expect((await project.virtualMachine('self'))?.status?.created).toBe(true)
    })

    ifSimulated('that crashes makes its instance stopped, as in Nova, and can be started again', async () => {
      await project.launch('crashed')

      await world.standIn.guestCrashes(ref('crashed'))

      await project.untilState('crashed', 'stopped')
      await project.patch('crashed', { powerState: 'Running' })
      expect((await project.untilState('crashed', 'active')).status.powerState).toBe('RUNNING')
    })

    it.each([
      { when: 'while its agent looks', isAway: false },
      { when: 'while its agent is away', isAway: true },
    ])('that was started behind our back is powered off again: $when', async ({ isAway }) => {
      const name = isAway ? 'behind-away' : 'behind'
      const { status, metadata } = await project.launch(name)
      const agent = `nova-compute-${status.host}`
      await project.patch(name, { powerState: 'Shutdown' })
      await project.untilState(name, 'stopped')
      // A real guest that was forced off has failed.
      await untilPhase(name, ['none', 'Succeeded', 'Failed'])
      if (isAway) await world.services.stop(agent)

      const start = { status: { stateChangeRequests: [{ action: 'Start' }] } }
      await world.client.mergePatch(VIRTUAL_MACHINE, ref(name), start, { subresource: 'status' })
      if (isAway) {
        await untilPhase(name, ['Running'])
        await world.services.start(agent)
      }

      await eventually('the agent forces it off', () =>
        linesAbout(agent, metadata.uid).some((line) =>
          line.includes('Guest runs although its instance is stopped; forcing it off'),
        ),
      )
      await untilPhase(name, ['none', 'Succeeded', 'Failed'])
      expect((await project.get(name)).status.vmState).toBe('stopped')
    })

    it('whose VM was deleted behind our back is told of as a fault', async () => {
      const { status, metadata } = await project.launch('vanished')

      await world.client.delete(VIRTUAL_MACHINE, ref('vanished'))

      const fault = await project.untilFault('vanished')
      expect(fault).toMatchObject({
        code: 500,
        reason: 'GuestVanished',
        host: status.host,
        message: `The guest of instance ${metadata.uid} is gone from ${status.host}: its VirtualMachine was removed. Rebuild the instance, or delete it.`,
      })
      expect((await project.get('vanished')).status).toMatchObject({
        powerState: 'NOSTATE',
        host: status.host,
      })
      expect((await project.event('vanished', 'GuestVanished')).type).toBe('Warning')
      const { status: after } = await project.perform({
        action: 'rebuild',
        instance: 'vanished',
        image: 'cirros',
      })
      expect(after).toMatchObject({ vmState: 'active', powerState: 'RUNNING' })
      expect(after).not.toHaveProperty('fault')
    })

    it('whose VM is gone counts as off, and cannot be started: that ends at once, and says what to do', async () => {
      const { status, metadata } = await project.launch('lost')
      await world.client.delete(VIRTUAL_MACHINE, ref('lost'))
      await project.untilFault('lost')

      await project.patch('lost', { powerState: 'Shutdown' })
      await project.untilState('lost', 'stopped')
      expect((await project.actionEnd('lost', 'stop')).status?.result).toBe('Success')

      await project.patch('lost', { powerState: 'Running' })
      const start = await project.actionEnd('lost', 'start')
      const sentence = `The VirtualMachine of instance ${metadata.uid} is gone from ${status.host}, and the instance is of no use without it; delete the instance and create it anew`
      expect(start.status).toMatchObject({
        result: 'Error',
        message: sentence,
        events: [{ name: 'compute_start_instance', host: status.host, result: 'Error', details: sentence }],
      })
      expect((await project.untilState('lost', 'stopped')).status).toMatchObject({
        powerState: 'SHUTDOWN',
        host: status.host,
        fault: { code: 404, reason: 'GuestNotFound', message: sentence, host: status.host },
      })
      expect((await project.event('lost', 'GuestNotFound')).message).toContain(sentence)
      expect(await project.virtualMachine('lost')).toBeUndefined()
      await project.delete('lost')
      await project.untilGone('lost')
    })

    it('is left alone when its instance’s services come and go', async () => {
      const { status } = await project.launch('steady')
      const before = await world.client.get(VIRTUAL_MACHINE_INSTANCE, ref('steady'))

      await world.services.kill(`nova-compute-${status.host}`)
      await world.services.start(`nova-compute-${status.host}`)

      const after = await world.client.get(VIRTUAL_MACHINE_INSTANCE, ref('steady'))
      expect(after.metadata.uid).toBe(before.metadata.uid)
    })

    function ref(name: string): { namespace: string; name: string } {
      return { namespace: project.namespace, name }
    }

    function linesAbout(service: string, uid: string | undefined): readonly string[] {
      return world.services
        .log(service)
        .split('\n')
        .filter((line) => line.includes(`[instance: ${uid}]`))
    }

    async function untilPhase(name: string, phases: readonly string[]): Promise<void> {
      await eventually(`the guest of ${name} is ${phases.join(' or ')}`, async () => {
        const vmi = await world.client.get(VIRTUAL_MACHINE_INSTANCE, ref(name)).catch(orNothing)
        return phases.includes(vmi?.status?.phase ?? 'none')
      })
    }
  })
}

function orNothing(error: unknown): null {
  if (isNotFound(error)) return null
  throw error
}
