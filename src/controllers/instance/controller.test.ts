import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance } from '../../apis/v1alpha1/instance.ts'
import { InstanceInvalidState, UnexpectedTaskStateError } from '../../common/errors/instance-state.ts'
import { requestIdOf } from '../../common/ids.ts'
import { FINALIZER } from '../../compute/api.ts'
import { ApiError } from '../../kube/api-error.ts'
import { ApiWorld } from '../../testing/api-world.ts'
import { until } from '../../testing/until.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { InstanceController } from './controller.ts'
import { Create } from './create.ts'
import { Delete } from './delete.ts'
import type { Duty } from './duty.ts'
import { DesiredState } from './desired-state.ts'
import { REQUESTED_BY_ANNOTATION, RequestContexts } from './request.ts'
import { TaskWatch } from './task-watch.ts'

let world: ApiWorld
let controller: InstanceController

useKube(() => Promise.all([kube.putFlavor(), kube.putImage()]))
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
})
afterEach(async () => {
  await controller.stop()
  await world.close()
})

function start(makeDuties?: (duties: { readonly all: readonly Duty[] }) => readonly Duty[]): void {
  const { api, sender, clock, logs, actions, cache, hosts } = world
  world.tellHost('node-1')
  const contexts = new RequestContexts({ trustsRequester: true })
  const tasks = new TaskWatch(
    { api, sender, contexts, clock, log: logs.log },
    { redriveAfterMs: 30_000, taskTimeoutMs: () => 1e6 },
  )
  const all = [
    new Create({ api, tasks, contexts }),
    new Delete({ api, actions, hosts, clock, tasks, contexts }),
    tasks,
    new DesiredState({ api, tasks, contexts }),
  ]
  const duties = makeDuties?.({ all }) ?? all
  controller = new InstanceController(
    { instances: cache.informer, api, tasks, duties, contexts, clock, log: logs.log },
    { concurrency: 4 },
  )
  controller.start()
}

async function sentWithin(count: number): Promise<string[]> {
  await until(`${count} messages are sent`, () => world.sent.length >= count)
  return world.sent
}

const idOf = (instance: Instance, generation: number): string =>
  requestIdOf(instance.metadata.uid ?? '', generation)

describe('the controller', () => {
  it('sees an instance through its life: each change of its spec is one request, sent once', async () => {
    start()
    const instance = await kube.putInstance()
    await world.refresh()
    expect(await sentWithin(1)).toEqual([`build_instances web ${idOf(instance, 1)}`])

    const active = {
      vmState: 'active',
      host: 'node-1',
      requestId: idOf(instance, 1),
      observedGeneration: 1,
    } as const
    world.cache.informer.observe(await kube.setStatus('web', active))
    await kube.client.mergePatch(INSTANCE, instance.metadata, { spec: { powerState: 'Shutdown' } })
    await world.refresh()
    expect((await sentWithin(2)).slice(1)).toEqual([`stop_instance web ${idOf(instance, 2)}`])

    const stopped = {
      ...active,
      vmState: 'stopped',
      requestId: idOf(instance, 2),
      observedGeneration: 2,
    } as const
    world.cache.informer.observe(await kube.setStatus('web', stopped))
    await kube.client.mergePatch(INSTANCE, instance.metadata, { spec: { powerState: 'Running' } })
    await world.refresh()
    expect((await sentWithin(3)).slice(2)).toEqual([`start_instance web ${idOf(instance, 3)}`])

    await kube.client.delete(INSTANCE, instance.metadata)
    await world.refresh()
    expect((await sentWithin(4)).slice(3)).toEqual([`terminate_instance web ${idOf(instance, 4)}`])
    expect(world.logs.at('WARNING')).toEqual([])
  })

  it('does and records what is asked in the name of who asked, and a delete in nobody’s', async () => {
    start()
    const instance = await kube.putInstance({ annotations: { [REQUESTED_BY_ANNOTATION]: 'alice' } })
    await world.refresh()
    await sentWithin(1)
    const active = { vmState: 'active', host: 'node-1', requestId: idOf(instance, 1) } as const
    world.cache.informer.observe(await kube.setStatus('web', { ...active, observedGeneration: 1 }))
    await kube.client.mergePatch(INSTANCE, instance.metadata, {
      metadata: { annotations: { [REQUESTED_BY_ANNOTATION]: 'bob' } },
      spec: { powerState: 'Shutdown' },
    })
    await world.refresh()
    await sentWithin(2)
    await kube.client.delete(INSTANCE, instance.metadata)
    await world.refresh()
    await sentWithin(3)

    const users = (await kube.actions()).map(({ spec }) => `${spec.action} by ${spec.user}`)
    expect(users.toSorted()).toEqual(['create by alice', 'delete by -', 'stop by bob'])
    expect(world.sentBy).toEqual(['alice', 'bob', '-'])
  })

  it('takes up what was there before it began', async () => {
    await kube.putInstance()
    await world.refresh()
    start()
    expect(await sentWithin(1)).toHaveLength(1)
  })

  it('notes a change of spec that asks for nothing', async () => {
    const instance = await kube.putInstance({
      finalizers: [FINALIZER],
      status: { vmState: 'active', host: 'node-1', observedGeneration: 1 },
    })
    start()
    await kube.client.mergePatch(INSTANCE, instance.metadata, { spec: { metadata: { a: 'b' } } })
    await world.refresh()
    await until('it is noted', async () => (await kube.instance()).status.observedGeneration === 2)
    expect((await kube.instance()).status.requestId).toBe(idOf(instance, 2))
    expect(world.sent).toEqual([])
  })

  it.each([
    { what: 'a conflict', error: new ApiError({ code: 409, reason: 'Conflict', message: 'x' }) },
    {
      what: 'an unexpected task',
      error: new UnexpectedTaskStateError({ instance: 'i', expected: 'a', actual: 'b' }),
    },
    {
      what: 'a state that does not allow it',
      error: new InstanceInvalidState({ instance: 'i', method: 'stop', attr: 'vm_state', state: 'paused' }),
    },
  ])('waits quietly for the change that came first after $what', async ({ error }) => {
    const failing: Duty = {
      reconcile: async () => {
        throw error
      },
    }
    await kube.putInstance()
    await world.refresh()
    start(() => [failing])
    await until('it lost the race', () => world.logs.at('DEBUG').some((line) => line.includes('Lost a race')))
    await world.clock.advance(600_000)
    expect(world.logs.at('WARNING')).toEqual([])
    expect(world.logs.lines.filter((line) => line.includes('Lost a race'))).toHaveLength(1)
  })

  it('tries again what failed otherwise', async () => {
    kube.server.faults.refuse({ verb: 'patch', resource: 'instances' }, 500, 1)
    await kube.putInstance()
    await world.refresh()
    start()
    await until('it failed', () => world.logs.at('WARNING').length === 1)
    await world.clock.advance(10_000)
    expect(await sentWithin(1)).toHaveLength(1)
  })
})
