import { CONDUCTOR_RPC_VERSION, CONDUCTOR_TOPIC } from '../conductor/rpcapi.ts'
import { DeadLetterOffice } from '../conductor/dead-letters.ts'
import { ConductorManager } from '../conductor/manager.ts'
import { serveConductor } from '../conductor/service.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { ActionStore } from '../objects/action-store.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { DeadLetterConsumer } from '../rpc/dead-letter-consumer.ts'
import { RpcServer } from '../rpc/server.ts'
import type { Service, ServiceDeps } from './service.ts'

/** nova-conductor: reads and writes for the compute agents. Any number of them share the work. */
export function buildConductor(deps: ServiceDeps, settings: { readonly identity: string }): Service {
  const { client, log, transport } = deps
  const events = new EventRecorder(deps, { component: 'nova-conductor', instance: settings.identity })
  const instances = new InstanceStore(deps)
  const actions = new ActionStore(deps)
  const requests = new BuildRequestResolver({ client })
  const manager = new ConductorManager({ ...deps, instances, actions, requests, events })
  const server = new RpcServer(deps, {
    target: { topic: CONDUCTOR_TOPIC },
    version: CONDUCTOR_RPC_VERSION,
    casts: false,
    fanouts: false,
  })
  serveConductor(server, manager)
  const office = new DeadLetterOffice({ ...deps, instances, actions, events })
  const deadLetters = new DeadLetterConsumer(deps)
  return {
    name: 'nova-conductor',
    checks: [{ name: 'messaging', isReady: () => transport.status === 'connected' }],
    start: async () => {
      await Promise.all([server.start(), deadLetters.start((letter) => office.receive(letter))])
      log.named('nova.service').info('Started nova-conductor')
    },
    stop: async () => {
      await Promise.all([server.stop(), deadLetters.stop()])
      await events.flush()
    },
  }
}
