import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { COMPUTE_QUOTA } from '../apis/v1alpha1/compute-quota.ts'
import { HOST_AGGREGATE } from '../apis/v1alpha1/host-aggregate.ts'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import { INSTANCE } from '../apis/v1alpha1/instance.ts'
import { SERVER_GROUP } from '../apis/v1alpha1/server-group.ts'
import { ComputeRpcApi } from '../compute/rpcapi.ts'
import type { SchedulerSettings } from '../conf/scheduler.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { Informer } from '../kube/informer.ts'
import { ActionStore } from '../objects/action-store.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { RpcClient } from '../rpc/client.ts'
import { RpcServer } from '../rpc/server.ts'
import { AggregateDirectory } from '../scheduler/aggregate-directory.ts'
import { aggregateReport } from '../scheduler/aggregate-report.ts'
import { BookingAudit, countByKind } from '../scheduler/booking-audit.ts'
import { FilterScheduler } from '../scheduler/filter-scheduler.ts'
import { makeFilters } from '../scheduler/filters/registry.ts'
import { HostManager } from '../scheduler/host-manager.ts'
import { InstanceImages } from '../scheduler/image-usage.ts'
import { MoveManager } from '../scheduler/move-manager.ts'
import { SchedulerManager } from '../scheduler/manager.ts'
import { LABELLED_NODE, trimNode } from '../scheduler/nodes.ts'
import { OTHER_PODS, PodUsage, REQUESTING_POD, trimPod } from '../scheduler/pod-usage.ts'
import { BY_NAMESPACE, Quotas } from '../scheduler/quotas.ts'
import { SCHEDULER_RPC_VERSION, SCHEDULER_TOPIC } from '../scheduler/rpcapi.ts'
import type { Policy } from '../scheduler/select-destination.ts'
import { ServerGroups } from '../scheduler/server-groups.ts'
import { hearHeartbeats, serveScheduler } from '../scheduler/service.ts'
import { StatusReporter } from '../scheduler/status-reporter.ts'
import { InstanceTrimmer } from '../scheduler/trim-instance.ts'
import { makeWeighers, runs } from '../scheduler/weighers/registry.ts'
import { ServiceMonitor } from '../servicegroup/monitor.ts'
import { groupReport, quotaReport } from '../scheduler/usage-reports.ts'
import { awaitDefinitions } from './await-definitions.ts'
import { Leadership } from './leadership.ts'
import { DRAIN_TIMEOUT_MS, MAX_DELIVERIES, type Service, type ServiceDeps } from './service.ts'
import { untilAborted } from './signals.ts'

/** How often at most the monitor looks for agents that fell silent. */
const CHECK_INTERVAL_MS = 5_000

/** How often at most the status of aggregates, quotas and groups is written. */
const REPORT_INTERVAL_MS = 2_000

/** How often bookings are compared with instances, agents and hosts. */
const AUDIT_INTERVAL_MS = 30_000

const KINDS = [INSTANCE, COMPUTE_NODE, HOST_AGGREGATE, SERVER_GROUP, COMPUTE_QUOTA]

/** nova-scheduler: the leader decides; the others follow bindings and heartbeats, ready to take over. */
export function buildScheduler(
  deps: ServiceDeps,
  settings: SchedulerSettings & { readonly identity: string },
): Service {
  const { client, clock, log, transport } = deps
  const countsPods = settings.countPods === 'true'
  const readsImages = runs('ImagePropertiesWeigher', settings.weightMultipliers)
  const informerDeps = { client, clock, log }
  const instances = new Informer(informerDeps, { type: INSTANCE, trim: new InstanceTrimmer().trim })
  const nodes = new Informer(informerDeps, { type: COMPUTE_NODE })
  const rpc = new RpcClient({ ...deps, log: log.named('nova.rpc.client') })
  const events = new EventRecorder(deps, { component: 'nova-scheduler', instance: settings.identity })
  const computeRpc = new ComputeRpcApi({ rpc })
  const monitor = new ServiceMonitor(
    {
      ...deps,
      nodes,
      computeRpc,
      isHearing: () => transport.status === 'connected',
    },
    {
      serviceDownAfterMs: settings.serviceDownTime,
      checkIntervalMs: Math.min(CHECK_INTERVAL_MS, settings.serviceDownTime / 2),
    },
  )
  const aggregates = new Informer(informerDeps, { type: HOST_AGGREGATE })
  const labels = new Informer(informerDeps, { type: LABELLED_NODE, trim: trimNode })
  const groups = new Informer(informerDeps, { type: SERVER_GROUP })
  const quotas = new Informer(informerDeps, { type: COMPUTE_QUOTA, indexes: BY_NAMESPACE })
  const pods = new Informer(informerDeps, { type: REQUESTING_POD, trim: trimPod, ...OTHER_PODS })
  const others = new PodUsage({ pods })
  const images = new Informer(informerDeps, { type: IMAGE })
  const imagesInUse = new InstanceImages({ instances, images })
  const directory = new AggregateDirectory({ aggregates, nodes: labels })
  const hosts = new HostManager(
    {
      nodes,
      instances,
      liveness: monitor,
      facts: directory,
      others,
      images: readsImages ? imagesInUse : undefined,
    },
    hostDefaults(settings),
  )
  const scheduler = new FilterScheduler(
    {
      hosts,
      groups: new ServerGroups({ client, groups, hosts }),
      quotas: new Quotas({ quotas, hosts }),
    },
    policyOf(settings),
  )
  const kinds = readsImages ? [...KINDS, IMAGE] : KINDS
  const followed = [
    instances,
    nodes,
    aggregates,
    labels,
    groups,
    quotas,
    ...(countsPods ? [pods] : []),
    ...(readsImages ? [images] : []),
  ]
  const parts = {
    hosts,
    scheduler,
    instances: new InstanceStore({ client, clock, observe: (one) => instances.observe(one) }),
    actions: new ActionStore(deps),
    events,
    computeRpc,
    clock,
    log,
  }
  const manager = new SchedulerManager({ ...parts, cache: instances }, { maxAttempts: settings.maxAttempts })
  const moves = new MoveManager({ ...parts, client })
  const isHost = (name: string): boolean => nodes.store.get(name) !== undefined
  const every = { intervalMs: REPORT_INTERVAL_MS }
  const reporters = [
    new StatusReporter(deps, aggregateReport({ aggregates, directory, isHost, clock, log }), every),
    new StatusReporter(deps, quotaReport({ quotas, hosts }), every),
    new StatusReporter(deps, groupReport({ groups, hosts }), every),
  ]
  const audit = new BookingAudit(
    { ...informerDeps, nodes, instances, hosts, events },
    { intervalMs: AUDIT_INTERVAL_MS },
  )
  const target = { topic: SCHEDULER_TOPIC }
  const heartbeats = new RpcServer(deps, {
    target,
    version: SCHEDULER_RPC_VERSION,
    casts: false,
    calls: false,
  })
  hearHeartbeats(heartbeats, { monitor, log })

  const lead = async (signal: AbortSignal): Promise<void> => {
    const server = new RpcServer(deps, {
      target,
      version: SCHEDULER_RPC_VERSION,
      fanouts: false,
      maxConcurrent: settings.schedulerConcurrency,
      maxDeliveries: MAX_DELIVERIES,
      drainTimeoutMs: DRAIN_TIMEOUT_MS,
    })
    serveScheduler(server, { manager, moves })
    monitor.start()
    for (const reporter of reporters) reporter.start()
    audit.start()
    const starting = server.start().catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    await untilAborted(signal)
    await server.stop()
    await starting
    audit.stop()
    for (const reporter of reporters) reporter.stop()
    monitor.stop()
  }
  const leadership = new Leadership(deps, {
    lease: 'kilonova-scheduler',
    namespace: settings.leaseNamespace,
    identity: settings.identity,
    durationMs: settings.leaseDuration,
  })
  const stopping = new AbortController()
  return {
    name: 'nova-scheduler',
    isLeading: () => leadership.isLeading,
    gauges: [
      {
        name: 'kilonova_scheduler_booking_differences',
        help: 'Hosts whose bookings do not agree with the ledger, the agent, or the capacity; of the leader only.',
        label: 'kind',
        read: () => countByKind(audit.differences),
      },
    ],
    checks: [
      { name: 'kubernetes', isReady: () => followed.every((one) => one.isHealthy()) },
      { name: 'messaging', isReady: () => transport.status === 'connected' },
    ],
    start: async () => {
      directory.start()
      others.start()
      if (readsImages) imagesInUse.start()
      hosts.start()
      scheduler.start()
      await Promise.all([heartbeats.start(), awaitDefinitions(deps, kinds, stopping.signal)])
      for (const one of followed) one.start()
      await Promise.all(followed.map((one) => one.synced(stopping.signal)))
      leadership.start(lead)
      log.named('nova.service').info('Started nova-scheduler')
    },
    stop: async () => {
      stopping.abort(new Error('nova-scheduler was stopped'))
      await Promise.all([leadership.stop(), heartbeats.stop()])
      scheduler.stop()
      hosts.stop()
      directory.stop()
      others.stop()
      imagesInUse.stop()
      await events.flush()
      await Promise.all(followed.map((one) => one.stop()))
    },
  }
}

function policyOf(settings: SchedulerSettings): Policy {
  return {
    filters: makeFilters(settings.enabledFilters, {
      ...settings,
      restrictIsolatedHosts: settings.restrictIsolatedHosts === 'true',
    }),
    weighers: makeWeighers(settings.weightMultipliers, settings),
  }
}

function hostDefaults(settings: SchedulerSettings): ConstructorParameters<typeof HostManager>[1] {
  return {
    ratios: {
      cpu: settings.cpuAllocationRatio,
      memory: settings.ramAllocationRatio,
      disk: settings.diskAllocationRatio,
    },
    reserved: {
      vcpus: settings.reservedHostCpus,
      memoryMb: settings.reservedHostMemoryMb,
      diskGb: Math.ceil(settings.reservedHostDiskMb / 1024),
    },
  }
}
