import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { RequestContext } from '../../src/common/context.ts'
import { SystemClock } from '../../src/common/clock.ts'
import { RandomIds } from '../../src/common/ids.ts'
import { COMPUTE_RPC_VERSION, HOST_METHODS } from '../../src/compute/rpcapi.ts'
import { CONDUCTOR_RPC_VERSION, instanceGet, instanceUpdateMethod } from '../../src/conductor/rpcapi.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { defineMethod } from '../../src/rpc/method.ts'
import type { Transport } from '../../src/rpc/transport.ts'
import { leave } from './audit.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import type { MakeWorld, World } from './world.ts'

const REQUEST_ID = 'req-00000000-0000-5000-8000-000000000000'
const TOPICS = [
  { topic: 'scheduler', service: 'nova-scheduler' },
  { topic: 'compute', host: 'node-1', service: 'nova-compute-node-1' },
]

/** Messages that no service of ours would send. */
export function describeMessages(makeWorld: MakeWorld): void {
  describe('a message that is wrong', () => {
    let world: World
    let project: Project
    let transport: Transport
    let rpc: RpcClient
    let ctx: RequestContext

    beforeAll(async () => {
      world = await makeWorld()
      transport = world.broker.connect()
      await transport.connect()
      rpc = new RpcClient({ transport, clock: new SystemClock(), ids: new RandomIds() })
      ctx = { requestId: REQUEST_ID, user: 'mallory', project: 'scenario' }
    })
    beforeEach(async () => {
      project = await makeProject(world)
    })
    afterAll(async () => {
      await transport.close()
      await leave(world)
    })

    const anything = z.unknown()
    const conductor = { topic: 'conductor' }

    it.each([
      {
        what: 'an unknown method',
        method: defineMethod({ name: 'make_coffee', version: '1.0', args: anything, result: anything }),
        error: 'NoSuchMethod',
        says: "Topic conductor has no method 'make_coffee'",
      },
      {
        what: 'a newer version',
        method: defineMethod({ name: instanceGet.name, version: '1.9', args: anything, result: anything }),
        error: 'UnsupportedVersion',
        says: `Specified RPC version 1.9 of 'instance_get' is not supported: this server serves ${CONDUCTOR_RPC_VERSION}`,
      },
      {
        what: 'wrong arguments',
        method: defineMethod({ name: instanceGet.name, version: '1.0', args: anything, result: anything }),
        error: 'InvalidArguments',
        says: "Invalid arguments for 'instance_get': instance: ",
      },
      {
        what: 'what only an agent may ask',
        method: instanceUpdateMethod,
        args: {
          instance: { namespace: 'default', name: 'web', uid: '1' },
          update: { vmState: 'active' },
          expected: {},
        } as const,
        error: 'Forbidden',
        says: "Not allowed: 'api' is no compute agent",
      },
    ])('gets a typed error as its answer: $what', async ({ method, args = {}, error, says }) => {
      const answer = rpc.call(ctx, conductor, method as typeof instanceGet, args as never)

      await expect(answer).rejects.toMatchObject({ name: error, message: expect.stringContaining(says) })
    })

    it('is told when the host it is for does not exist', async () => {
      const answer = rpc.call(ctx, { topic: 'compute', host: 'nowhere' }, HOST_METHODS.stop_instance, {
        instance: { namespace: 'default', name: 'web', uid: '1' },
      })

      await expect(answer).rejects.toMatchObject({ name: 'MessageUndeliverable' })
    })

    it('is answered even when it is no JSON', async () => {
      const outcome = await transport.request(conductor, { headers: {}, body: 'hello?' }, 5000)

      expect(outcome).toMatchObject({ kind: 'message' })
      expect(JSON.stringify(outcome)).toContain('InvalidMessage')
      await project.launch('web')
    })

    describe.each(TOPICS)(
      'to $topic is refused, buried, and the next one is served:',
      ({ service, ...target }) => {
        it.each([
          { what: 'no JSON', body: '{"method"', error: 'InvalidMessage' },
          { what: 'no envelope', body: '[]', error: 'InvalidMessage' },
          {
            what: 'no context',
            body: JSON.stringify({ method: 'make_coffee', version: '1.0', args: {} }),
            error: 'InvalidMessage',
          },
          { what: 'an unknown method', method: 'make_coffee', version: '1.0', error: 'NoSuchMethod' },
          { what: 'a newer version', method: 'make_coffee', version: '1.9', error: 'UnsupportedVersion' },
          { what: 'another major', method: 'make_coffee', version: '2.0', error: 'UnsupportedVersion' },
        ])('$what', async ({ body, method = '', version = '', error }) => {
          const before = world.services.log(service).length
          const buried = world.services.log('nova-conductor').length

          if (body === undefined) {
            await rpc.cast(ctx, target, defineMethod({ name: method, version, args: anything }), {})
          } else {
            await transport.publishCast(target, { headers: {}, body }, new RandomIds().uuid())
          }

          await eventually('it is refused in the log', () =>
            linesSince(service, before).some(
              (line) =>
                line.includes(' WARNING ') && line.includes('Refused a message') && line.includes(error),
            ),
          )
          await eventually('the conductor has buried it', () =>
            linesSince('nova-conductor', buried).some((line) => line.includes('Gave a message up')),
          )
          await eventually('no message is left', async () => (await world.broker.stored()) === 0)
        })

        it('wrong arguments', async () => {
          const before = world.services.log(service).length
          const name = target.topic === 'scheduler' ? 'build_instances' : 'stop_instance'

          await rpc.cast(ctx, target, defineMethod({ name, version: '1.0', args: anything }), { instance: 7 })

          await eventually('it is refused in the log', () =>
            linesSince(service, before).some((line) => line.includes('InvalidArguments')),
          )
          await eventually('no message is left', async () => (await world.broker.stored()) === 0)
          await project.launch('next')
        })
      },
    )

    it('about an instance becomes its fault, and the instance can go on', async () => {
      const { status, metadata } = await project.launch('accused')
      // Nobody but the message is to know of this task.
      await world.services.stop('nova-api')
      await project.setStatus('accused', { taskState: 'powering-off', requestId: REQUEST_ID })

      const newer = defineMethod({
        name: HOST_METHODS.stop_instance.name,
        version: '2.0',
        args: HOST_METHODS.stop_instance.args,
      })
      const instance = { namespace: project.namespace, name: 'accused', uid: metadata.uid ?? '' }
      await rpc.cast(ctx, { topic: 'compute', host: status.host ?? '' }, newer, { instance })

      const { status: after } = await project.until('accused', (one) => one.status.fault !== undefined)
      expect(after).toMatchObject({
        vmState: 'active',
        fault: {
          reason: 'UnsupportedVersion',
          message: `Specified RPC version 2.0 of 'stop_instance' is not supported: this server serves ${COMPUTE_RPC_VERSION}`,
          host: status.host,
          requestId: REQUEST_ID,
        },
      })
      await world.services.start('nova-api')
      await project.patch('accused', { powerState: 'Shutdown' })
      const { status: stopped } = await project.untilState('accused', 'stopped')
      expect(stopped.fault).toBeUndefined()
    })

    function linesSince(service: string, offset: number): readonly string[] {
      return world.services.log(service).slice(offset).split('\n')
    }
  })
}
