import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import { FreedHosts } from '../compute/freed-hosts.ts'
import { ComputeRpcApi } from '../compute/rpcapi.ts'
import { TaskSender } from '../compute/task-sender.ts'
import { ComputeNodeReports } from '../conductor/compute-node-reports.ts'
import { GuestAssigner } from '../conductor/guest-assigner.ts'
import { ConductorManager } from '../conductor/manager.ts'
import { PowerStateChanges } from '../conductor/power-state-changes.ts'
import { CONDUCTOR_RPC_VERSION, CONDUCTOR_TOPIC } from '../conductor/rpcapi.ts'
import { serveConductor } from '../conductor/service.ts'
import { SnapshotImages } from '../conductor/snapshot-images.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import type { ActionStore } from '../objects/action-store.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import { FakeGuestAssignment } from '../virt/fake/assignment.ts'
import { FakeSnapshotOwnership } from '../virt/fake/snapshot-ownership.ts'
import type { MemoryRpc } from './memory-rpc.ts'

/** Has a conductor serve, with a memory of its own and guests that are assigned on paper. */
export async function serveTestConductor(deps: {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly rpc: MemoryRpc
  readonly actions: ActionStore
  readonly events: EventRecorder
}): Promise<void> {
  const rpc = deps.rpc.client({ service: 'conductor' })
  const compute = new ComputeRpcApi({ rpc })
  const instances = new InstanceStore(deps)
  const requests = new BuildRequestResolver(deps)
  const parts = {
    manager: new ConductorManager({
      ...deps,
      instances,
      requests,
      sender: new TaskSender({ requests, scheduler: new SchedulerRpcApi({ rpc }), compute }),
      freed: new FreedHosts({ compute }),
    }),
    powerStates: new PowerStateChanges({ ...deps, instances }),
    nodes: new ComputeNodeReports(deps),
    guests: new GuestAssigner({ ...deps, instances, guests: new FakeGuestAssignment() }),
    images: new SnapshotImages({ ...deps, instances, requests, snapshots: new FakeSnapshotOwnership() }),
  }
  const target = { topic: CONDUCTOR_TOPIC }
  await deps.rpc.serve({ target, version: CONDUCTOR_RPC_VERSION }, (server) => serveConductor(server, parts))
}
