import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { INSTANCE } from '../../src/apis/v1alpha1/instance.ts'
import {
  INSTANCE_ACTION,
  type InstanceAction,
  type InstanceActionSpec,
} from '../../src/apis/v1alpha1/instance-action.ts'
import { requestIdOf } from '../../src/common/ids.ts'
import { leave } from './audit.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import type { Guests, MakeWorld, World } from './world.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples/actions')

/** What users ask for by an action of its own: so far lock and unlock. */
export function describeLocks(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  describe('locks', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
    })
    afterAll(() => leave(world))

    const ask = (spec: InstanceActionSpec): Promise<InstanceAction> => project.ask(spec)
    const done = (spec: InstanceActionSpec): Promise<InstanceAction> => project.done(spec)

    it('the examples lock and unlock an instance', async () => {
      const { metadata } = await project.launch('web')
      const create = async (file: string): Promise<InstanceAction> => {
        const example: InstanceAction = parse(readFileSync(join(EXAMPLES, file), 'utf8'))
        const created = await world.client.create(INSTANCE_ACTION, {
          ...example,
          metadata: { ...example.metadata, namespace: project.namespace },
        })
        return project.actionNamed(created.metadata.name)
      }

      const lock = await create('lock.yaml')

      const requestId = requestIdOf(lock.metadata.uid ?? '', 1)
      expect(lock.spec).toMatchObject({ action: 'lock', instanceUid: metadata.uid, requestId })
      expect(lock.status).toMatchObject({ result: 'Success', events: [{ name: 'api_lock' }] })
      const reason = 'holds the data of the demonstration'
      expect((await project.get('web')).status).toMatchObject({ lockedBy: 'owner', lockedReason: reason })
      expect((await project.event('web', 'Locked')).message).toBe(
        `Instance is locked by its owner: ${reason} (${requestId})`,
      )
      const line = new RegExp(`INFO .*${requestId} .*${metadata.uid}. Accepted lock of instance name=web`)
      await eventually('nova-api has told of it', () => line.test(world.services.log('nova-api')))
      const { items } = await world.client.list(INSTANCE, {
        namespace: project.namespace,
        fieldSelector: 'status.lockedBy=owner',
      })
      expect(items.map((one) => one.metadata.name)).toEqual(['web'])
      await expect(project.patch('web', { powerState: 'Shutdown' })).rejects.toThrow(
        `Instance ${metadata.uid} is locked`,
      )
      await expect(project.patch('web', { metadata: { a: 'b' } })).rejects.toThrow(
        `Instance ${metadata.uid} is locked`,
      )

      expect((await create('unlock.yaml')).status?.result).toBe('Success')

      const { status } = await project.get('web')
      expect(status).not.toHaveProperty('lockedBy')
      expect(status).not.toHaveProperty('lockedReason')
      await project.patch('web', { metadata: { a: 'b' } })
      await project.patch('web', { powerState: 'Shutdown' })
      await project.untilState('web', 'stopped')
    })

    it('an administrator’s lock is for an administrator to take off', async () => {
      const { metadata } = await project.launch('kept')
      await done({ action: 'lock', instance: 'kept', override: true })

      const { status } = await done({ action: 'unlock', instance: 'kept' })

      expect(status).toMatchObject({
        result: 'Error',
        message: `Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed. Instance ${metadata.uid} was locked by an administrator, who unlocks it with override`,
      })
      expect((await project.event('kept', 'PolicyNotAuthorized')).type).toBe('Warning')
      expect((await project.get('kept')).status).toMatchObject({ lockedBy: 'admin', vmState: 'active' })
      expect((await project.get('kept')).status).not.toHaveProperty('fault')
      await done({ action: 'unlock', instance: 'kept', override: true })
      expect((await project.get('kept')).status).not.toHaveProperty('lockedBy')
    })

    it('a lock waits for no operation, and is in the way of none that is under way', async () => {
      await project.create('young')
      const { status } = await done({ action: 'lock', instance: 'young' })

      expect(status?.result).toBe('Success')
      expect((await project.untilState('young', 'active')).status).toMatchObject({ lockedBy: 'owner' })
      expect((await project.actionEnd('young', 'create')).status?.result).toBe('Success')
    })

    it('an action for an instance there is not ends with Nova’s sentence', async () => {
      const { spec, status } = await done({ action: 'lock', instance: 'nothing' })

      expect(status).toMatchObject({ result: 'Error', message: 'Instance nothing could not be found.' })
      expect(spec.requestId).toMatch(/^req-/)
    })

    it('an action that means an earlier instance does nothing to the later one of its name', async () => {
      const { metadata } = await project.launch('again')
      await project.delete('again')
      await project.untilGone('again')
      await project.launch('again')

      const { status } = await done({ action: 'lock', instance: 'again', instanceUid: metadata.uid ?? '' })

      expect(status?.message).toBe(`Instance ${metadata.uid} could not be found.`)
      expect((await project.get('again')).status).not.toHaveProperty('lockedBy')
    })

    it('what is asked for while nova-api is away is done when it is back, in its turn', async () => {
      await project.launch('patient')
      await world.services.kill('nova-api')
      const asked = []
      for (const action of ['lock', 'unlock', 'lock'] as const) {
        asked.push(await ask({ action, instance: 'patient' }))
      }
      await world.services.start('nova-api')

      for (const { metadata } of asked) {
        expect((await project.actionNamed(metadata.name)).status?.result).toBe('Success')
      }
      expect((await project.get('patient')).status.lockedBy).toBe('owner')
    })

    it.skipIf(guests !== 'simulated')(
      'a locked instance becomes stopped too when its guest shuts itself down',
      async () => {
        await project.launch('self-locked')
        await done({ action: 'lock', instance: 'self-locked' })

        await world.standIn.guestPowersOff({ namespace: project.namespace, name: 'self-locked' })

        const { spec, status, metadata } = await project.untilState('self-locked', 'stopped')
        expect(spec.powerState).toBe('Shutdown')
        expect(status.lockedBy).toBe('owner')
        expect((await project.actionEnd('self-locked', 'stop')).status?.result).toBe('Success')
        await expect(project.patch('self-locked', { powerState: 'Running' })).rejects.toThrow(
          `Instance ${metadata.uid} is locked`,
        )
      },
    )

    it('an operation that is asked for on the Instance is refused as an action', async () => {
      await expect(ask({ action: 'stop', instance: 'web' })).rejects.toThrow(
        "'stop' is asked for on the Instance itself: create it, delete it, or change its spec.powerState",
      )
    })
  })
}
