import { FLAVOR } from '../apis/v1alpha1/flavor.ts'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import { serveComputeQueues } from '../conductor/compute-queues.ts'
import { CONDUCTOR_RPC_VERSION, CONDUCTOR_TOPIC } from '../conductor/rpcapi.ts'
import { DeadLetterOffice } from '../conductor/dead-letters.ts'
import { ComputeRpcApi } from '../compute/rpcapi.ts'
import { FreedHosts } from '../compute/freed-hosts.ts'
import { TaskSender } from '../compute/task-sender.ts'
import { GuestAssigner } from '../conductor/guest-assigner.ts'
import { SnapshotImages } from '../conductor/snapshot-images.ts'
import { ComputeNodeReports } from '../conductor/compute-node-reports.ts'
import { PowerStateChanges } from '../conductor/power-state-changes.ts'
import type { ConductorSettings } from '../conf/conductor.ts'
import { RpcClient } from '../rpc/client.ts'
import { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import { openGuestAssignment, openSnapshotOwnership } from './driver.ts'
import { ConductorManager } from '../conductor/manager.ts'
import { serveConductor } from '../conductor/service.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { Informer } from '../kube/informer.ts'
import { ActionStore } from '../objects/action-store.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { DeadLetterConsumer } from '../rpc/dead-letter-consumer.ts'
import { RpcServer } from '../rpc/server.ts'
import { awaitDefinitions } from './await-definitions.ts'
import { DRAIN_TIMEOUT_MS, type Service, type ServiceDeps } from './service.ts'

/** nova-conductor: reads and writes for the compute agents. Any number of them share the work. */
export function buildConductor(
  deps: ServiceDeps,
  settings: ConductorSettings & { readonly identity: string },
): Service {
  const { client, clock, log, transport } = deps
  const events = new EventRecorder(deps, { component: 'nova-conductor', instance: settings.identity })
  const instances = new InstanceStore(deps)
  const actions = new ActionStore(deps)
  const flavors = new Informer({ client, clock, log }, { type: FLAVOR })
  const images = new Informer({ client, clock, log }, { type: IMAGE })
  const requests = new BuildRequestResolver({
    client,
    known: { flavor: (name) => flavors.store.get(name), image: (name) => images.store.get(name) },
  })
  const rpc = new RpcClient({ ...deps, log: log.named('nova.rpc.client') })
  const compute = new ComputeRpcApi({ rpc })
  const sender = new TaskSender({ requests, scheduler: new SchedulerRpcApi({ rpc }), compute })
  const freed = new FreedHosts({ compute })
  const parts = {
    manager: new ConductorManager({ ...deps, instances, actions, requests, sender, freed, events }),
    powerStates: new PowerStateChanges({ ...deps, instances, events }),
    nodes: new ComputeNodeReports(deps),
    guests: new GuestAssigner({ ...deps, instances, guests: openGuestAssignment(deps, settings) }),
    images: new SnapshotImages({
      ...deps,
      instances,
      requests,
      snapshots: openSnapshotOwnership(deps, settings),
    }),
  }
  const server = new RpcServer(deps, {
    target: { topic: CONDUCTOR_TOPIC },
    version: CONDUCTOR_RPC_VERSION,
    casts: false,
    fanouts: false,
    drainTimeoutMs: DRAIN_TIMEOUT_MS,
  })
  serveConductor(server, parts)
  serveComputeQueues(server, transport)
  const office = new DeadLetterOffice({ ...deps, instances, actions, freed, events })
  const deadLetters = new DeadLetterConsumer(deps)
  const stopping = new AbortController()
  const followCatalogue = async (): Promise<void> => {
    await awaitDefinitions(deps, [FLAVOR, IMAGE], stopping.signal).catch(() => undefined)
    if (stopping.signal.aborted) return
    flavors.start()
    images.start()
  }
  return {
    name: 'nova-conductor',
    checks: [
      // All that it does goes to the API server: whoever else can reach one is to be asked instead.
      { name: 'kubernetes', isReady: () => flavors.isHealthy() && images.isHealthy() },
      { name: 'messaging', isReady: () => transport.status === 'connected' },
    ],
    start: async () => {
      // Not waited for: an agent that calls meanwhile is told that Kubernetes is away.
      void followCatalogue()
      await Promise.all([server.start(), deadLetters.start((letter) => office.receive(letter))])
      log.named('nova.service').info('Started nova-conductor')
    },
    stop: async () => {
      stopping.abort(new Error('nova-conductor was stopped'))
      await Promise.all([server.stop(), deadLetters.stop()])
      await events.flush()
      await Promise.all([flavors.stop(), images.stop()])
    },
  }
}
