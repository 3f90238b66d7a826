import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { COMPUTE_QUOTA, type ComputeQuota } from '../apis/v1alpha1/compute-quota.ts'
import { HOST_AGGREGATE, type HostAggregate } from '../apis/v1alpha1/host-aggregate.ts'
import { IMAGE, type Image } from '../apis/v1alpha1/image.ts'
import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { SERVER_GROUP, type ServerGroup } from '../apis/v1alpha1/server-group.ts'
import type { Clock } from '../common/clock.ts'
import { AggregateDirectory } from '../scheduler/aggregate-directory.ts'
import { FilterScheduler } from '../scheduler/filter-scheduler.ts'
import { DEFAULT_FILTERS, makeFilters } from '../scheduler/filters/registry.ts'
import { type HostDefaults, HostManager } from '../scheduler/host-manager.ts'
import { InstanceImages } from '../scheduler/image-usage.ts'
import { LABELLED_NODE, type LabelledNode } from '../scheduler/nodes.ts'
import { PodUsage, REQUESTING_POD, type RequestingPod, trimPod } from '../scheduler/pod-usage.ts'
import { BY_NAMESPACE, Quotas } from '../scheduler/quotas.ts'
import type { Policy } from '../scheduler/select-destination.ts'
import { ServerGroups } from '../scheduler/server-groups.ts'
import { makeWeighers } from '../scheduler/weighers/registry.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryKubeClient } from './memory-kube-client.ts'
import { ToldInformer } from './told-informer.ts'

/** What runs in a scheduler that is told nothing. */
export const DEFAULT_POLICY: Policy = { filters: makeFilters(DEFAULT_FILTERS), weighers: makeWeighers() }

/** Nothing is booked twice and nothing kept back. */
const PLAIN: HostDefaults = {
  ratios: { cpu: 1, memory: 1, disk: 1 },
  reserved: { vcpus: 0, memoryMb: 0, diskGb: 0 },
}

/** The scheduler's view of a cluster, which a test tells what there is. */
export class SchedulerWorld {
  readonly nodes: ToldInformer<ComputeNode>
  readonly instances: ToldInformer<Instance>
  readonly aggregates: ToldInformer<HostAggregate>
  readonly labels: ToldInformer<LabelledNode>
  readonly groups: ToldInformer<ServerGroup>
  readonly quotas: ToldInformer<ComputeQuota>
  readonly pods: ToldInformer<RequestingPod>
  readonly others: PodUsage
  readonly images: ToldInformer<Image>
  readonly imagesInUse: InstanceImages
  readonly client = new MemoryKubeClient()
  /** Hosts whose agents do not report. */
  readonly silent = new Set<string>()
  readonly directory: AggregateDirectory
  readonly hosts: HostManager
  readonly scheduler: FilterScheduler

  constructor(
    options: {
      readonly defaults?: HostDefaults
      readonly policy?: Policy
      readonly clock?: Clock
      readonly trim?: (instance: Instance) => Instance
      readonly readsImages?: boolean
    } = {},
  ) {
    const { defaults = PLAIN, policy = DEFAULT_POLICY, clock = new FakeClock(), trim, readsImages } = options
    this.nodes = new ToldInformer<ComputeNode>(COMPUTE_NODE, clock)
    this.instances = new ToldInformer<Instance>(INSTANCE, clock, { trim })
    this.aggregates = new ToldInformer<HostAggregate>(HOST_AGGREGATE, clock)
    this.labels = new ToldInformer<LabelledNode>(LABELLED_NODE, clock)
    this.groups = new ToldInformer<ServerGroup>(SERVER_GROUP, clock)
    this.quotas = new ToldInformer<ComputeQuota>(COMPUTE_QUOTA, clock, { indexes: BY_NAMESPACE })
    this.directory = new AggregateDirectory({
      aggregates: this.aggregates.informer,
      nodes: this.labels.informer,
    })
    this.pods = new ToldInformer<RequestingPod>(REQUESTING_POD, clock, { trim: trimPod })
    this.others = new PodUsage({ pods: this.pods.informer })
    this.images = new ToldInformer<Image>(IMAGE, clock)
    this.imagesInUse = new InstanceImages({
      instances: this.instances.informer,
      images: this.images.informer,
    })
    const liveness = { isUp: (host: string) => !this.silent.has(host), onChange: () => () => {} }
    this.hosts = new HostManager(
      {
        nodes: this.nodes.informer,
        instances: this.instances.informer,
        liveness,
        facts: this.directory,
        others: this.others,
        images: readsImages ? this.imagesInUse : undefined,
      },
      defaults,
    )
    const { hosts } = this
    this.scheduler = new FilterScheduler(
      {
        hosts,
        groups: new ServerGroups({ client: this.client, groups: this.groups.informer, hosts }),
        quotas: new Quotas({ quotas: this.quotas.informer, hosts }),
      },
      policy,
    )
  }

  start(): void {
    this.directory.start()
    this.others.start()
    this.imagesInUse.start()
    this.hosts.start()
    this.scheduler.start()
  }

  stop(): void {
    this.scheduler.stop()
    this.hosts.stop()
    this.directory.stop()
    this.others.stop()
    this.imagesInUse.stop()
  }
}
