import { afterEach, describe, expect, it } from 'vitest'
import type { Instance } from '../../apis/v1alpha1/instance.ts'
import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import { actionRecordName } from '../../objects/action-store.ts'
import type { OperationCase } from '../../testing/operation-cases/case.ts'
import { OPERATION_CASES, REQUEST } from '../../testing/operation-cases/index.ts'
import { kube } from '../../testing/use-kube.ts'
import { useOperationWorld, world } from '../../testing/use-operation-world.ts'

/** The host that an instance is evacuated from comes back in the middle. */

const EVACUATION = evacuation()

useOperationWorld()
afterEach(() => world.setNodeState('node-1', 'down'))

function evacuation(): OperationCase {
  const found = OPERATION_CASES.find(({ name }) => name === 'evacuation')
  if (!found) throw new Error('there is no case of an evacuation')
  return found
}

/** The agent of the new host is told, and does not get to its end. */
async function beginAndFail(): Promise<Instance> {
  const instance = await world.begin(EVACUATION)
  const error = new KubernetesUnavailable({ reason: 'for a moment' })
  world.agent('node-2').driver.failNext('finishMigration', error)
  await expect(world.perform(EVACUATION, instance)).rejects.toThrow(error)
  return instance
}

describe('a host that comes back during an evacuation', () => {
  it.each(['active', 'stopped', 'error'] as const)(
    'before its guest was given away keeps it, and the instance is %s as it was',
    async (vmState) => {
      const instance = await world.begin(EVACUATION, { vmState })
      await world.setNodeState('node-1', 'up')

      await world.perform(EVACUATION, instance)

      const { status } = await kube.instance()
      expect(status).toMatchObject({
        vmState,
        host: 'node-1',
        fault: { code: 400, reason: 'ComputeServiceInUse', requestId: REQUEST },
      })
      for (const field of ['taskState', 'migration']) expect(status).not.toHaveProperty(field)
      expect(world.guestIs()).toEqual(EVACUATION.guest)
      expect(world.calls).toEqual([])
      const record = await kube.action(actionRecordName('web', 'evacuate', REQUEST))
      expect(record.status).toMatchObject({ result: 'Error', message: status.fault?.message })
      // The host it was to go to has room again.
      expect(world.agent('node-2').tracker.holds(instance.metadata.uid ?? '')).toBe(false)
    },
  )

  it('after its guest was given away does not get it back: the evacuation goes on', async () => {
    const instance = await beginAndFail()
    await world.setNodeState('node-1', 'up')

    await world.perform(EVACUATION, instance)

    const { status } = await kube.instance()
    expect(status).toMatchObject(EVACUATION.after)
    for (const field of ['taskState', 'migration', 'fault']) expect(status).not.toHaveProperty(field)
    expect(world.guestIs()).toEqual(EVACUATION.guestAfter)
  })

  it('whose agent starts again after its guest was given away leaves the evacuation alone', async () => {
    const instance = await beginAndFail()
    await world.setNodeState('node-1', 'up')
    const source = await world.restart('node-1')
    await source.manager.initHost(world.ctx)

    await world.perform(EVACUATION, instance)

    expect((await kube.instance()).status).toMatchObject(EVACUATION.after)
    expect(world.guestIs()).toEqual(EVACUATION.guestAfter)
  })

  it('after its guest has arrived, and before that was saved, does not get it back', async () => {
    const instance = await world.begin(EVACUATION)
    await world.perform(EVACUATION, instance)
    await kube.setStatus('web', instance.status)
    await world.setNodeState('node-1', 'up')

    await world.perform(EVACUATION, instance)

    expect((await kube.instance()).status).toMatchObject(EVACUATION.after)
    expect(world.guestIs()).toEqual(EVACUATION.guestAfter)
  })
})
