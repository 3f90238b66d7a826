import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IMAGE } from '../../src/apis/v1alpha1/image.ts'
import type { InstanceActionSpec } from '../../src/apis/v1alpha1/instance-action.ts'
import { requestIdOf } from '../../src/common/ids.ts'
import { isNotFound } from '../../src/kube/api-error.ts'
import { VIRTUAL_MACHINE_INSTANCE, type VirtualMachineInstance } from '../../src/virt/kubevirt/resources.ts'
import { VIRTUAL_MACHINE_SNAPSHOT } from '../../src/virt/kubevirt/snapshot-resource.ts'
import { leave } from './audit.ts'
import { makeImage } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import type { Guests, MakeWorld, World } from './world.ts'

/** Nova's server actions that leave an instance on its host. */
export function describeOperations(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')

  describe('operations', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
      await makeImage(world, 'cirros-2', {})
    })
    afterAll(() => leave(world))

    const vmi = (name: string): Promise<VirtualMachineInstance> =>
      world.client.get(VIRTUAL_MACHINE_INSTANCE, { namespace: project.namespace, name })

    it('pause and unpause by the state that is wanted', async () => {
      await project.launch('pausing')
      const { metadata } = await vmi('pausing')

      await project.patch('pausing', { powerState: 'Paused' })

      expect((await project.untilState('pausing', 'paused')).status).toMatchObject({
        status: 'PAUSED',
        powerState: 'PAUSED',
      })
      expect((await project.actionEnd('pausing', 'pause')).status).toMatchObject({
        result: 'Success',
        events: [{ name: 'compute_pause_instance', result: 'Success' }],
      })
      await expect(project.patch('pausing', { powerState: 'Shutdown' })).rejects.toThrow(
        "Cannot 'stop' instance",
      )
      await project.patch('pausing', { powerState: 'Running' })
      expect((await project.untilState('pausing', 'active')).status.powerState).toBe('RUNNING')
      expect((await vmi('pausing')).metadata.uid).toBe(metadata.uid)
    })

    it('suspend is refused by a hypervisor that cannot, and changes nothing', async () => {
      await project.launch('suspending')

      await project.patch('suspending', { powerState: 'Suspended' })

      const { status } = await project.actionEnd('suspending', 'suspend')
      expect(status).toMatchObject({ result: 'Error' })
      expect(status?.message).toContain("'suspend' is not supported")
      const instance = await project.untilState('suspending', 'active')
      expect(instance.status.fault).toMatchObject({ code: 501, reason: 'NotSupported' })
      await project.patch('suspending', { powerState: 'Running' })
      // Forgotten with the next success, and not tried again by itself.
      await project.perform({ action: 'reboot', instance: 'suspending' })
      const after = await project.get('suspending')
      expect(after.status).not.toHaveProperty('fault')
      expect((await project.actions('suspending')).map(({ spec }) => spec.action)).toEqual([
        'create',
        'suspend',
        'reboot',
      ])
    })

    it('a soft reboot keeps the machine, a hard one makes it anew, also where it was off', async () => {
      await project.launch('rebooting')
      const { metadata } = await vmi('rebooting')

      expect((await project.perform({ action: 'reboot', instance: 'rebooting' })).status.vmState).toBe(
        'active',
      )
      expect((await vmi('rebooting')).metadata.uid).toBe(metadata.uid)

      await project.perform({ action: 'reboot', instance: 'rebooting', type: 'Hard' })
      expect((await vmi('rebooting')).metadata.uid).not.toBe(metadata.uid)

      await project.patch('rebooting', { powerState: 'Shutdown' })
      await project.untilState('rebooting', 'stopped')
      const { status, spec } = await project.perform({
        action: 'reboot',
        instance: 'rebooting',
        type: 'Hard',
      })
      expect({ vmState: status.vmState, wanted: spec.powerState }).toEqual({
        vmState: 'active',
        wanted: 'Running',
      })
    })

    it('rescue runs from the image that was asked for, unrescue from its own disk again', async () => {
      await project.launch('rescued')

      const { status } = await project.perform({ action: 'rescue', instance: 'rescued', image: 'cirros' })

      expect(status).toMatchObject({ vmState: 'rescued', status: 'RESCUE', powerState: 'RUNNING' })
      const disks = async (): Promise<number> =>
        (await vmi('rescued')).spec?.domain?.devices?.disks?.length ?? 0
      const rescued = await disks()
      expect((await project.perform({ action: 'unrescue', instance: 'rescued' })).status).toMatchObject({
        vmState: 'active',
        powerState: 'RUNNING',
      })
      expect(await disks()).toBe(rescued - 1)
    })

    it('rebuild gives the instance another image, and one that was off is off again', async () => {
      await project.launch('rebuilt')
      const { metadata } = await vmi('rebuilt')

      const { status, spec } = await project.perform({
        action: 'rebuild',
        instance: 'rebuilt',
        image: 'cirros-2',
      })

      expect(status).toMatchObject({ vmState: 'active', image: 'cirros-2' })
      expect(spec.image).toBe('cirros-2')
      expect((await vmi('rebuilt')).metadata.uid).not.toBe(metadata.uid)
      await expect(project.patch('rebuilt', { image: 'cirros' })).rejects.toThrow(
        'create an InstanceAction with action rebuild and the image',
      )
      await project.patch('rebuilt', { powerState: 'Shutdown' })
      await project.untilState('rebuilt', 'stopped')
      const off = await project.perform({ action: 'rebuild', instance: 'rebuilt', image: 'cirros' })
      expect(off.status).toMatchObject({ vmState: 'stopped', powerState: 'SHUTDOWN' })
    })

    it('a shelved instance frees its host, and comes back on one with room', async () => {
      await project.launch('shelved')

      await project.perform({ action: 'shelve', instance: 'shelved' })

      const { status } = await project.untilState('shelved', 'shelved_offloaded')
      expect(status).toMatchObject({ status: 'SHELVED_OFFLOADED' })
      expect(status).not.toHaveProperty('host')
      expect((await project.actionEnd('shelved', 'shelveOffload')).status?.result).toBe('Success')
      expect((await project.virtualMachine('shelved'))?.metadata.labels).toMatchObject({
        'compute.kilonova.dev/host': '',
      })
      const back = await project.perform({ action: 'unshelve', instance: 'shelved' })
      expect(back.status).toMatchObject({ vmState: 'active', powerState: 'RUNNING' })
      expect((await project.virtualMachine('shelved'))?.metadata.labels).toMatchObject({
        'compute.kilonova.dev/host': back.status.host,
      })
    })

    it('a shelved instance can be deleted, and nothing of it is left', async () => {
      await project.launch('shelved-off')
      await project.perform({ action: 'shelve', instance: 'shelved-off' })
      await project.untilState('shelved-off', 'shelved_offloaded')

      await project.delete('shelved-off')

      await project.untilGone('shelved-off')
    })

    it('what is deleted softly is off until it is restored', async () => {
      await project.launch('regretted')

      const { status } = await project.perform({ action: 'softDelete', instance: 'regretted' })

      expect(status).toMatchObject({ vmState: 'soft-delete', status: 'SOFT_DELETED', powerState: 'SHUTDOWN' })
      expect((await project.perform({ action: 'restore', instance: 'regretted' })).status).toMatchObject({
        vmState: 'active',
        powerState: 'RUNNING',
      })
    })

    it('a forced delete is a delete, from whatever state', async () => {
      await project.launch('forced')
      await project.perform({ action: 'softDelete', instance: 'forced' })

      expect((await project.done({ action: 'forceDelete', instance: 'forced' })).status?.result).toBe(
        'Success',
      )

      await project.untilGone('forced')
      expect((await project.actionEnd('forced', 'delete')).status?.result).toBe('Success')
    })

    it('reset-state writes a state down and does nothing to the guest', async () => {
      await project.launch('reset')
      const { metadata } = await vmi('reset')

      const { status } = await project.perform({ action: 'resetState', instance: 'reset', state: 'error' })
      expect(status).toMatchObject({ vmState: 'error', powerState: 'RUNNING' })
      await project.perform({ action: 'resetState', instance: 'reset', state: 'active' })

      expect((await project.get('reset')).status.vmState).toBe('active')
      expect((await vmi('reset')).metadata.uid).toBe(metadata.uid)
    })

    it('an image of a container disk cannot be made: it keeps nothing', async () => {
      await project.launch('pictured')

      const { status } = await project.done({
        action: 'createImage',
        instance: 'pictured',
        imageName: `${project.namespace}-picture`,
      })

      expect(status?.result).toBe('Error')
      expect(status?.message).toContain("'snapshot' is not supported")
      expect((await project.untilState('pictured', 'active')).status.fault?.code).toBe(501)
    })

    it('an image of a disk is one that others can be launched from', async () => {
      const dataVolume = { http: { url: 'https://example.com/disk.img' } }
      await makeImage(world, 'imported', { dataVolume })
      await project.launch('original', { image: 'imported' })
      const imageName = `${project.namespace}-copy`

      const { status } = await project.perform({ action: 'createImage', instance: 'original', imageName })

      expect(status).toMatchObject({ vmState: 'active', powerState: 'RUNNING' })
      const { spec } = await world.client.get(IMAGE, { name: imageName })
      expect(spec.dataVolume?.snapshot).toMatchObject({ namespace: project.namespace })
      expect(spec).not.toHaveProperty('containerDisk')
      expect((await project.launch('copy', { image: imageName })).status.powerState).toBe('RUNNING')
      const again = await project.done({ action: 'createImage', instance: 'original', imageName })
      expect(again.status?.message).toBe(`Image ${imageName} exists already: give the new one another name.`)

      await world.client.delete(IMAGE, { name: imageName })

      const ref = { namespace: project.namespace, name: imageName }
      await eventually('its snapshot is gone', async () =>
        world.client.get(VIRTUAL_MACHINE_SNAPSHOT, ref).then(() => false, isNotFound),
      )
      // The name is free again, for what the disk is now.
      await project.perform({ action: 'createImage', instance: 'original', imageName })
    })

    it('the console’s last lines are in the record that asked for them', async () => {
      await project.launch('talking')

      const { status } = await project.done({ action: 'getConsoleOutput', instance: 'talking', lines: 5 })

      expect(status).toMatchObject({ result: 'Success' })
      expect(status?.output).not.toBe('')
      expect(status?.output?.trimEnd().split('\n').length).toBeLessThanOrEqual(5)
      await project.patch('talking', { powerState: 'Shutdown' })
      await project.untilState('talking', 'stopped')
      const off = await project.done({ action: 'getConsoleOutput', instance: 'talking' })
      expect(off.status?.message).toContain('Guest does not have a console available')
    })

    it('the request’s id leads from the action through every service to its end', async () => {
      const { metadata } = await project.launch('traced')
      const action = await project.done({ action: 'reboot', instance: 'traced', type: 'Hard' })

      const requestId = requestIdOf(action.metadata.uid ?? '', 1)
      expect(action.spec).toMatchObject({ requestId, instanceUid: metadata.uid })
      const { host, requestId: last } = (await project.get('traced')).status
      expect(last).toBe(requestId)
      for (const service of ['nova-api', 'nova-conductor', `nova-compute-${host}`]) {
        await eventually(`${service} tells of it`, () => world.services.log(service).includes(requestId))
      }
      expect((await project.event('traced', 'Rebooted')).message).toBe(
        `Instance was rebooted on ${host} (${requestId})`,
      )
    })

    it.each<{ what: string; spec: Omit<InstanceActionSpec, 'instance'>; says: string }>([
      {
        what: 'that its vm_state does not allow',
        spec: { action: 'unrescue' },
        says: "Cannot 'unrescue' instance UID while it is in vm_state active",
      },
      {
        what: 'to an image there is not',
        spec: { action: 'rebuild', image: 'nothing' },
        says: 'Image nothing could not be found.',
      },
      {
        what: 'to the host it is on',
        spec: { action: 'migrate', host: 'HOST' },
        says: 'Cannot migrate instance UID to HOST: that is the host it is on.',
      },
      {
        what: 'to a host there is not',
        spec: { action: 'live-migration', host: 'nowhere' },
        says: 'Compute host nowhere could not be found.',
      },
      {
        what: 'from a host that is up',
        spec: { action: 'evacuate' },
        says: 'Compute service of HOST is still in use',
      },
    ])('an operation $what ends at once, and says so', async ({ spec, says }) => {
      const name = `refused-${++count}`
      const { metadata, status: before } = await project.launch(name)
      const host = before.host ?? ''

      const { status } = await project.done({
        ...spec,
        instance: name,
        ...(spec.host === 'HOST' && { host }),
      })

      expect(status?.result).toBe('Error')
      expect(status?.message).toContain(says.replace('UID', metadata.uid ?? '').replaceAll('HOST', host))
      expect((await project.get(name)).status).toEqual(before)
    })

    ifSimulated('of two operations at once one wins and the other is told', async () => {
      const { metadata } = await project.launch('wanted')

      const first = await project.ask({ action: 'reboot', instance: 'wanted', type: 'Hard' })
      const second = await project.ask({ action: 'rescue', instance: 'wanted' })

      const ends = [
        await project.actionNamed(first.metadata.name),
        await project.actionNamed(second.metadata.name),
      ]
      const results = ends.map(({ status }) => status?.result)
      expect(results).toEqual(expect.arrayContaining(['Error', 'Success']))
      expect(ends.map(({ status }) => status?.message).join('')).toContain(
        `instance ${metadata.uid} while it is in task_state`,
      )
      await project.until('wanted', ({ status }) => status.taskState === undefined)
    })

    it('a locked instance refuses them, in Nova’s words', async () => {
      const { metadata } = await project.launch('locked')
      await project.perform({ action: 'lock', instance: 'locked' })

      const { status } = await project.done({ action: 'reboot', instance: 'locked' })

      expect(status).toMatchObject({ result: 'Error', message: `Instance ${metadata.uid} is locked` })
      await project.perform({ action: 'unlock', instance: 'locked' })
    })
  })
}

let count = 0
