import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceSpec, InstanceStatus } from '../../src/apis/v1alpha1/instance.ts'
import { leave } from './audit.ts'
import { makeFlavor, makeImage, setComputeNode, untilComputeNode } from './catalogue.ts'
import { makeProject, type Project } from './instances.ts'
import { hostsOf, type MakeWorld, type World } from './world.ts'

/** What a user or an operator gets wrong: refused where it is typed in, or said in one sentence. */
export function describeBadInput(makeWorld: MakeWorld): void {
  describe('bad input', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
      await makeImage(world, 'needs-memory', { minRamMb: 1024 })
      await makeImage(world, 'needs-disk', { minDiskGb: 5 })
      await makeImage(world, 'other-machine', { properties: { hw_architecture: 'aarch64' } })
      await makeFlavor(world, 'huge', { vcpus: 1024, memoryMb: 1024, diskGb: 1 })
    })
    afterAll(async () => {
      await leave(world)
    })

    it.each([
      {
        name: 'no-flavor',
        spec: { flavor: 'm1.nothing' },
        fault: { code: 404, reason: 'FlavorNotFound', message: 'Flavor m1.nothing could not be found.' },
      },
      {
        name: 'no-image',
        spec: { image: 'nothing' },
        fault: { code: 404, reason: 'ImageNotFound', message: 'Image nothing could not be found.' },
      },
      {
        name: 'little-memory',
        spec: { image: 'needs-memory' },
        fault: {
          code: 400,
          reason: 'FlavorMemoryTooSmall',
          message:
            "Flavor's memory is too small for requested image: flavor m1.tiny has 512 MiB, image needs-memory needs 1024 MiB.",
        },
      },
      {
        name: 'little-disk',
        spec: { image: 'needs-disk' },
        fault: {
          code: 400,
          reason: 'FlavorDiskSmallerThanMinDisk',
          message:
            "Flavor's disk is smaller than the minimum size specified in image metadata: flavor m1.tiny has 1 GiB, image needs-disk needs 5 GiB.",
        },
      },
      {
        name: 'no-secret',
        spec: { userDataSecret: { name: 'nothing' } },
        fault: {
          code: 400,
          reason: 'InstanceUserDataMalformed',
          message: 'User data needs to be valid: there is no Secret nothing in namespace NAMESPACE',
        },
      },
    ])('ends in error with one sentence: $name', async ({ name, spec, fault }) => {
      const { metadata } = await project.create(name, spec)

      const message = fault.message.replace('NAMESPACE', project.namespace)
      expect(await project.untilFault(name)).toMatchObject({ ...fault, message })

      const { status } = await project.get(name)
      expect(status).toMatchObject({ status: 'ERROR', powerState: 'NOSTATE' })
      expect(status.host).toBeUndefined()
      const create = await project.actionEnd(name, 'create')
      expect(create.status).toMatchObject({ result: 'Error', message })
      const event = await project.event(name, fault.reason)
      expect(event).toMatchObject({ type: 'Warning', message: `${message} (${status.requestId})` })
      expect(await project.virtualMachine(name)).toBeUndefined()
      expect(metadata.uid).toBe(status.id)
      await project.delete(name)
      await project.untilGone(name)
    })

    it('says of no valid host what each filter took out', async () => {
      const [first = '', second = ''] = hostsOf(world)
      await setComputeNode(world, first, { disabled: true, disabledReason: 'new disks' })
      await setComputeNode(world, second, { forcedDown: true })
      await untilComputeNode(world, second, 'down')

      await project.create('nowhere', { flavor: 'huge' })

      const fault = await project.untilFault('nowhere')
      expect(fault).toMatchObject({
        code: 500,
        reason: 'NoValidHost',
        message: expect.stringMatching(
          /^No valid host was found. Of 3 hosts, ComputeFilter took out 2 \(1 disabled: new disks \| 1 down: forced down\); ResourceFilter took out 1 \(1 without room: VCPU 1024 asked, \d+ free\)\.$/,
        ),
      })
      const create = await project.actionEnd('nowhere', 'create')
      expect(create.status).toMatchObject({
        result: 'Error',
        placement: { host: '', considered: 3 },
        events: [{ name: 'scheduler_select_destinations', result: 'Error' }],
      })
      expect((await project.event('nowhere', 'NoValidHost')).type).toBe('Warning')

      await setComputeNode(world, first, { disabled: false, disabledReason: null })
      await setComputeNode(world, second, { forcedDown: false })
      await untilComputeNode(world, second, 'up')
    })

    it.each([
      {
        name: 'wrong-zone',
        spec: { availabilityZone: 'mars' },
        why: /AvailabilityZoneFilter took out 3 \(3 in zone nova, not mars\)/,
      },
      {
        name: 'wrong-host',
        spec: { requestedHost: 'mars' },
        why: /RequestedHostFilter took out 3 \(3 not mars, which was asked for\)/,
      },
      {
        name: 'wrong-machine',
        spec: { image: 'other-machine' },
        why: /ImagePropertiesFilter took out 3 \(3 of architecture x86_64, the image needs aarch64\)/,
      },
      {
        name: 'too-big',
        spec: { flavor: 'huge' },
        why: /ResourceFilter took out 3 \(\d without room: VCPU 1024 asked/,
      },
    ])('finds no valid host: $name', async ({ name, spec, why }) => {
      await project.create(name, spec)

      const { message } = await project.untilFault(name)

      expect(message).toMatch(why)
    })

    it.each<{ what: string; name?: string; spec?: object; says: string }>([
      { what: 'an upper-case name', name: 'Web', says: 'metadata.name' },
      { what: 'a name with a dot', name: 'web.example', says: "an instance's name must be a DNS label" },
      {
        what: 'a name of 64 characters',
        name: 'a'.repeat(64),
        says: "an instance's name must be a DNS label",
      },
      { what: 'too much user data', spec: { userData: 'A'.repeat(65_536) }, says: '65535' },
      { what: 'user data that is no base64', spec: { userData: '#!/bin/sh' }, says: 'spec.userData' },
      {
        what: 'user data twice',
        spec: { userData: 'IyEK', userDataSecret: { name: 'mine' } },
        says: 'give userData or userDataSecret, not both',
      },
      { what: 'a power state there is not', spec: { powerState: 'Rebooting' }, says: 'spec.powerState' },
      { what: 'no flavor', spec: { flavor: undefined }, says: 'spec.flavor' },
      {
        what: 'a hint for an address that is none',
        spec: { schedulerHints: { build_near_host_ip: 'node-1' } },
        says: 'this is no IP address',
      },
      {
        what: 'a hint for more bits than an address has',
        spec: { schedulerHints: { build_near_host_ip: '10.0.0.1', cidr: '/33' } },
        says: 'cidr is longer than the address',
      },
      {
        what: 'a hint for a prefix that is none',
        spec: { schedulerHints: { build_near_host_ip: '10.0.0.1', cidr: '24' } },
        says: 'spec.schedulerHints.cidr',
      },
      {
        what: 'a hint for a prefix without an address',
        spec: { schedulerHints: { cidr: '/24' } },
        says: 'build_near_host_ip, which says to what, is not there',
      },
      { what: 'an empty image', spec: { image: '' }, says: 'spec.image' },
      { what: 'a host name with spaces', spec: { hostname: 'my host' }, says: 'spec.hostname' },
      {
        what: 'a metadata key with a slash',
        spec: { metadata: { 'a/b': 'c' } },
        says: 'a metadata key has 1 to 255 of the characters',
      },
    ])('is refused at once: $what', async ({ name = 'refused', spec = {}, says }) => {
      await expect(project.create(name, spec as Partial<InstanceSpec>)).rejects.toThrow(says)
    })

    it('drops a field that there is not, as Kubernetes does, and says so to who asks for it strictly', async () => {
      const { spec } = await project.create('unknown-field', { flavour: 'm1.tiny' } as Partial<InstanceSpec>)

      expect(spec).not.toHaveProperty('flavour')
    })

    describe('a change that the state does not allow', () => {
      let uid: string

      beforeAll(async () => {
        const { metadata } = await project.launch('changing')
        uid = metadata.uid ?? ''
        // The API server decides alone, and nobody else is to take the states below for true.
        await world.services.stop('nova-api')
      })
      afterAll(async () => {
        await project.setStatus('changing', { vmState: 'active', taskState: null })
        await world.services.start('nova-api')
      })

      it.each<{
        what: string
        state: Partial<Record<keyof InstanceStatus, unknown>>
        change: Partial<InstanceSpec>
        says: string
      }>([
        {
          what: 'a stop of a paused instance',
          state: { vmState: 'paused', taskState: null },
          change: { powerState: 'Shutdown' },
          says: `Cannot 'stop' instance UID while it is in vm_state paused`,
        },
        {
          what: 'a stop of one that is being built',
          state: { vmState: 'building', taskState: 'spawning' },
          change: { powerState: 'Shutdown' },
          says: `Cannot 'stop' instance UID while it is in vm_state building`,
        },
        {
          what: 'a stop of one that is being started',
          state: { vmState: 'stopped', taskState: 'powering-on' },
          change: { powerState: 'Shutdown' },
          says: `Cannot 'stop' instance UID while it is in task_state powering-on`,
        },
        {
          what: 'another flavor while a task runs',
          state: { vmState: 'active', taskState: 'powering-off' },
          change: { flavor: 'm1.small' },
          says: `Cannot 'resize' instance UID while it is in task_state powering-off`,
        },
        {
          what: 'another image while a task runs',
          state: { vmState: 'active', taskState: 'powering-off' },
          change: { image: 'other' },
          says: `Cannot 'rebuild' instance UID by a change of its image: create an InstanceAction with action rebuild and the image`,
        },
        {
          what: 'another flavor for a paused one',
          state: { vmState: 'paused', taskState: null },
          change: { flavor: 'm1.small' },
          says: `Cannot 'resize' instance UID while it is in vm_state paused`,
        },
        {
          what: 'another image at rest',
          state: { vmState: 'active', taskState: null },
          change: { image: 'other' },
          says: `Cannot 'rebuild' instance UID by a change of its image: create an InstanceAction with action rebuild and the image`,
        },
        {
          what: 'another zone',
          state: { vmState: 'active', taskState: null },
          change: { availabilityZone: 'mars' },
          says: 'the availability zone is fixed when the instance is created',
        },
        {
          what: 'other user data',
          state: { vmState: 'active', taskState: null },
          change: { userData: 'IyEK' },
          says: 'user data is fixed when the instance is created',
        },
      ])('is refused in Nova’s words: $what', async ({ state, change, says }) => {
        await project.setStatus('changing', state)

        await expect(project.patch('changing', change)).rejects.toThrow(says.replace('UID', uid))
      })
    })

    it('refuses to start what is in error', async () => {
      const { metadata } = await project.create('failed', {
        flavor: 'm1.nothing',
        powerState: 'Shutdown',
      })
      await project.untilFault('failed')

      await expect(project.patch('failed', { powerState: 'Running' })).rejects.toThrow(
        `Cannot 'start' instance ${metadata.uid} while it is in vm_state error`,
      )
    })

    it('refuses to stop what has no host', async () => {
      const { metadata } = await project.create('hostless', { flavor: 'm1.nothing' })
      await project.untilFault('hostless')

      await expect(project.patch('hostless', { powerState: 'Shutdown' })).rejects.toThrow(
        `Instance ${metadata.uid} is not ready: it has no host, so there is nothing to stop`,
      )
    })

    it('lets a change be taken back', async () => {
      await project.launch('back')
      await project.patch('back', { powerState: 'Shutdown' })
      await project.untilState('back', 'stopped')
      await world.services.stop('nova-api')

      await project.patch('back', { powerState: 'Running' })
      await project.patch('back', { powerState: 'Shutdown' })

      await world.services.start('nova-api')
      const { status } = await project.until('back', (one) => one.status.observedGeneration === 4)
      expect(status).toMatchObject({ vmState: 'stopped', powerState: 'SHUTDOWN' })
    })
  })
}
