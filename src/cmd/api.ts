import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { stepOf } from '../apis/v1alpha1/steps.ts'
import { FreedHosts } from '../compute/freed-hosts.ts'
import { HostStates } from '../compute/host-states.ts'
import { ImmediateOperations } from '../compute/immediate-operations.ts'
import { Preparation } from '../compute/preparation.ts'
import { FLAVOR } from '../apis/v1alpha1/flavor.ts'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import { INSTANCE } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import { ComputeApi } from '../compute/api.ts'
import { ComputeRpcApi } from '../compute/rpcapi.ts'
import { TaskSender } from '../compute/task-sender.ts'
import type { ApiSettings } from '../conf/api.ts'
import { InstanceController } from '../controllers/instance/controller.ts'
import { Create } from '../controllers/instance/create.ts'
import { Delete } from '../controllers/instance/delete.ts'
import { DesiredState } from '../controllers/instance/desired-state.ts'
import { type OverdueOptions, OverdueStates } from '../controllers/instance/overdue.ts'
import { RequestContexts } from '../controllers/instance/request.ts'
import { UnacceptedAction } from '../controllers/instance/unaccepted.ts'
import { TaskWatch } from '../controllers/instance/task-watch.ts'
import { immediateOperations } from '../controllers/instance-action/asked.ts'
import { ActionClosing } from '../controllers/instance-action/closing.ts'
import { ActionExpiry } from '../controllers/instance-action/expiry.ts'
import { ActionRequests, OPEN_REQUESTS, openRequests } from '../controllers/instance-action/requests.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { Informer } from '../kube/informer.ts'
import { ActionStore } from '../objects/action-store.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { RpcClient } from '../rpc/client.ts'
import { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import { awaitDefinitions } from './await-definitions.ts'
import { Leadership } from './leadership.ts'
import type { Service, ServiceDeps } from './service.ts'
import { untilAborted } from './signals.ts'

/** nova-api: turns what users ask of Instances into operations. The leader works; the others watch and wait. */
export function buildApi(deps: ServiceDeps, settings: ApiSettings & { readonly identity: string }): Service {
  const { client, clock, log, transport } = deps
  const instances = new Informer({ client, clock, log }, { type: INSTANCE })
  const actions = new Informer(
    { client, clock, log },
    { type: INSTANCE_ACTION, indexes: { [OPEN_REQUESTS]: openRequests } },
  )
  const flavors = new Informer({ client, clock, log }, { type: FLAVOR })
  const images = new Informer({ client, clock, log }, { type: IMAGE })
  const nodes = new Informer({ client, clock, log }, { type: COMPUTE_NODE })
  const informers = [instances, actions, flavors, images, nodes]
  const rpc = new RpcClient({ ...deps, log: log.named('nova.rpc.client') })
  const events = new EventRecorder(deps, { component: 'nova-api', instance: settings.identity })
  const instanceStore = new InstanceStore({ client, clock, observe: (one) => instances.observe(one) })
  const actionStore = new ActionStore(deps)
  const requests = new BuildRequestResolver({
    client,
    known: { flavor: (name) => flavors.store.get(name), image: (name) => images.store.get(name) },
  })
  const computeRpc = new ComputeRpcApi({ rpc })
  const sender = new TaskSender({ requests, scheduler: new SchedulerRpcApi({ rpc }), compute: computeRpc })
  const hosts = new HostStates({ nodes })
  const freed = new FreedHosts({ compute: computeRpc })

  const lead = async (signal: AbortSignal): Promise<void> => {
    const api = new ComputeApi({
      client,
      cache: instances,
      instances: instanceStore,
      actions: actionStore,
      preparation: new Preparation({ client, requests, hosts }),
      hosts,
      events,
      sender,
      freed,
      clock,
      log,
    })
    const contexts = new RequestContexts({ trustsRequester: settings.trustRequester })
    const tasks = new TaskWatch({ api, sender, contexts, clock, log }, taskWatchOptions(settings))
    const duties = [
      new Create({ api, tasks, contexts }),
      new Delete({ api, actions: actionStore, hosts, clock, tasks, contexts }),
      tasks,
      new UnacceptedAction({ actions: actions.store }),
      new OverdueStates({ api, tasks, clock }, overdueOptions(settings)),
      new DesiredState({ api, tasks, contexts }),
    ]
    const controller = new InstanceController(
      { instances, api, tasks, duties, contexts, clock, log },
      { concurrency: settings.apiConcurrency },
    )
    const expiry = new ActionExpiry(
      { client, actions, clock, log },
      { keepFinishedMs: settings.keepFinishedActions },
    )
    const closing = new ActionClosing(
      { actions, instances, store: actionStore, clock, log },
      { graceMs: settings.redriveAfter },
    )
    const asked = new ActionRequests(
      {
        ...deps,
        actions,
        instances: instanceStore,
        store: actionStore,
        api,
        operations: immediateOperations(
          new ImmediateOperations({
            client,
            api,
            instances: instanceStore,
            actions: actionStore,
            computeRpc,
            freed,
            log,
          }),
        ),
        events,
      },
      { trustsRequester: settings.trustRequester, concurrency: settings.apiConcurrency },
    )
    const all = [controller, asked, expiry, closing]
    for (const one of all) one.start()
    await untilAborted(signal)
    await Promise.all(all.map((one) => one.stop()))
  }

  const leadership = new Leadership(deps, {
    lease: 'kilonova-api',
    namespace: settings.leaseNamespace,
    identity: settings.identity,
    durationMs: settings.leaseDuration,
  })
  const stopping = new AbortController()
  return {
    name: 'nova-api',
    isLeading: () => leadership.isLeading,
    checks: [
      { name: 'kubernetes', isReady: () => informers.every((one) => one.isHealthy()) },
      { name: 'messaging', isReady: () => transport.status === 'connected' },
    ],
    start: async () => {
      const kinds = [INSTANCE, INSTANCE_ACTION, FLAVOR, IMAGE, COMPUTE_NODE]
      await Promise.all([transport.connect(stopping.signal), awaitDefinitions(deps, kinds, stopping.signal)])
      for (const informer of informers) informer.start()
      await Promise.all(informers.map((one) => one.synced(stopping.signal)))
      leadership.start(lead)
      log.named('nova.service').info('Started nova-api')
    },
    stop: async () => {
      stopping.abort(new Error('nova-api was stopped'))
      await leadership.stop()
      await events.flush()
      await Promise.all(informers.map((one) => one.stop()))
    },
  }
}

function taskWatchOptions(settings: ApiSettings): ConstructorParameters<typeof TaskWatch>[1] {
  return {
    redriveAfterMs: settings.redriveAfter,
    taskTimeoutMs: (task) => settings.taskTimeouts[task] ?? stepOf(task).timeoutSeconds * 1000,
  }
}

function overdueOptions(settings: ApiSettings): OverdueOptions {
  const orNever = (ms: number): number => (ms === 0 ? Number.POSITIVE_INFINITY : ms)
  return {
    confirmResizeAfterMs: orNever(settings.resizeConfirmWindow),
    offloadShelvedAfterMs: settings.shelvedOffloadTime,
    reclaimAfterMs: orNever(settings.reclaimInstanceInterval),
  }
}
