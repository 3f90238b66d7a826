import { beforeEach, describe, expect, it } from 'vitest'
import type { Instance } from '../../apis/v1alpha1/instance.ts'
import { serviceContext } from '../../common/context.ts'
import { BuildAbortException } from '../../common/errors/guest.ts'
import { refOfInstance } from '../../objects/build-request.ts'
import { makeContext } from '../../testing/builders.ts'
import { OPERATION_CASES } from '../../testing/operation-cases/index.ts'
import { until } from '../../testing/until.ts'
import { kube } from '../../testing/use-kube.ts'
import { useOperationWorld, world } from '../../testing/use-operation-world.ts'

const own = serviceContext('req-own')
const deletion = makeContext({ requestId: 'req-2' })

useOperationWorld()

const DRIVEN = OPERATION_CASES.flatMap((one) =>
  one.method === 'terminate_instance' ? [] : one.calls.map((call) => ({ ...one, call })),
)

describe.each(DRIVEN)('$name, while its driver is at $call', (one) => {
  let instance: Instance
  let running: Promise<void>

  beforeEach(async () => {
    instance = await world.begin(one)
    world.agent(one.on).driver.delay(one.call, 5000)
    running = world.perform(one, instance)
    await until('the driver is at it', () => world.compute.clock.nextInMs === 5000)
  })

  it('is overtaken by a delete, which removes all', async () => {
    const { host = 'node-1' } = instance.status
    const status = { ...instance.status, taskState: 'deleting', requestId: 'req-2' } as const
    await kube.setStatus('web', status)

    const { manager } = world.agent(host === 'node-1' ? 'node-1' : 'node-2')
    const deleting = manager.perform(deletion, 'terminate_instance', { instance: refOfInstance(instance) })
    await world.compute.clock.advance(5000)
    await world.compute.clock.advance(5000)
    await Promise.all([running, deleting])

    expect((await kube.instance()).status).toMatchObject({ vmState: 'deleted', requestId: 'req-2' })
    // What the host left that it comes from or goes to is removed when that one looks; usually there is one guest only.
    await world.remove(instance)
    for (const on of ['node-1', 'node-2'] as const) {
      const agent = await world.restart(on)
      await agent.manager.syncPowerStates(own)
    }
    expect(world.guest()).toBeUndefined()
  })

  it('is overtaken by another operation, whose state it leaves alone', async () => {
    const status = { ...instance.status, taskState: 'powering-on', requestId: 'req-2' } as const
    const after = await kube.setStatus('web', status)

    for (let call = 0; call < one.calls.length; call++) await world.compute.clock.advance(5000)
    await running

    expect(await kube.instance()).toEqual(after)
    expect(world.compute.logs.at('INFO').join()).toContain('Stopped the operation: something else came first')
  })

  it('and then fails for good, is nobody’s fault when it was overtaken', async () => {
    const after = await kube.setStatus('web', { ...instance.status, requestId: 'req-2' })
    world
      .agent(one.on)
      .driver.failNext(one.call, new BuildAbortException({ instance: 'i', reason: 'told so' }))

    await world.compute.clock.advance(5000)
    await running

    expect(await kube.instance()).toEqual(after)
  })
})
