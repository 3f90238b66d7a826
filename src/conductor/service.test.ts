import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Forbidden } from '../common/errors/access.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { makeContext } from '../testing/builders.ts'
import { ConductorWorld } from '../testing/conductor-world.ts'
import { EmbeddedKube } from '../testing/embedded-kube.ts'
import type { InstanceRef } from '../objects/build-request.ts'
import { ConductorRpcApi } from './rpcapi.ts'

const ctx = makeContext({ requestId: 'req-1' })
const source = { snapshot: { namespace: 'default', name: 'web-1' } }

let kube: EmbeddedKube
let world: ConductorWorld
let instance: InstanceRef

beforeAll(async () => {
  kube = await EmbeddedKube.start()
  await kube.putImage({ name: 'cirros' })
  world = new ConductorWorld(kube)
  await world.start()
  const action = { name: 'mine', operation: 'createImage', imageName: 'web-1' }
  const status = {
    vmState: 'active',
    taskState: 'image_snapshot',
    host: 'node-1',
    requestId: 'req-1',
    action,
  } as const
  instance = refOfInstance(await kube.putInstance({ status }))
})
afterAll(async () => {
  await world?.close()
  await kube?.close()
})

/** Every call that does something for an agent of the instance's host. */
const CALLS: readonly { readonly what: string; run(conductor: ConductorRpcApi): Promise<unknown> }[] = [
  {
    what: 'guest_assign',
    run: (conductor) => conductor.guestAssign(ctx, { instance, step: 'take' }),
  },
  { what: 'disk_get', run: (conductor) => conductor.diskGet(ctx, instance) },
  { what: 'image_create', run: (conductor) => conductor.imageCreate(ctx, { instance, source }) },
  {
    what: 'instance_update',
    run: (conductor) =>
      conductor.instanceUpdate(ctx, { instance, update: { powerState: 'RUNNING' }, expected: {} }),
  },
  {
    what: 'power_state_changed',
    run: (conductor) => conductor.powerStateChanged(ctx, { instance, powerState: 'SHUTDOWN' }),
  },
]

describe.each(CALLS)('$what', (call) => {
  it('is there for the agent of the host', async () => {
    await expect(call.run(world.agent('node-1'))).resolves.not.toThrow()
  })

  it('is no service’s that is not an agent', async () => {
    for (const service of ['api', 'scheduler'] as const) {
      const conductor = new ConductorRpcApi({ rpc: world.rpc.client({ service }) })
      await expect(call.run(conductor)).rejects.toThrow(Forbidden)
    }
  })

  it('is not the agent’s of another host', async () => {
    await expect(call.run(world.agent('node-2'))).rejects.toMatchObject({
      name: expect.stringMatching(/^(Forbidden|UnexpectedTaskStateError)$/),
    })
  })
})
