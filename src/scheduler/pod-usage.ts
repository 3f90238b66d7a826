import type { Informer } from '../kube/informer.ts'
import { defineResource, type KubeObject, type ObjectMeta } from '../kube/resource.ts'
import { parseQuantity } from '../virt/kubevirt/quantity.ts'
import { type Amounts, minus, NOTHING, plus } from './host-state.ts'

interface Container {
  readonly restartPolicy?: string
  readonly resources?: { readonly requests?: Readonly<Record<string, string>> }
}

/** A Pod, as far as what it asks of its node goes. */
export interface RequestingPod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string
    readonly containers?: readonly Container[]
    readonly initContainers?: readonly Container[]
    readonly overhead?: Readonly<Record<string, string>>
  }
  readonly status?: { readonly phase?: string }
}

export const REQUESTING_POD = defineResource<RequestingPod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
})

/** Pods that take something of a node and are not guests, which are booked as instances. */
export const OTHER_PODS = {
  labelSelector: 'kubevirt.io!=virt-launcher',
  fieldSelector: 'spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed',
} as const

/** Of a Pod what it asks for and where is kept. */
export function trimPod({ apiVersion, kind, metadata, spec, status }: RequestingPod): RequestingPod {
  const { nodeName = '', containers = [], initContainers = [], overhead = {} } = spec ?? {}
  return {
    apiVersion,
    kind,
    metadata: trimMetadata(metadata),
    spec: {
      nodeName,
      containers: containers.map(trimContainer),
      initContainers: initContainers.map(trimContainer),
      overhead,
    },
    ...(status?.phase !== undefined && { status: { phase: status.phase } }),
  }
}

/** The labels are there for the selector. */
function trimMetadata(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, labels, deletionTimestamp, deletionGracePeriodSeconds } =
    metadata
  const ofGuests = labels?.['kubevirt.io']
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(ofGuests !== undefined && { labels: { 'kubevirt.io': ofGuests } }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
  }
}

function trimContainer({ restartPolicy, resources }: Container): Container {
  return {
    ...(restartPolicy !== undefined && { restartPolicy }),
    ...(resources?.requests && { resources: { requests: resources.requests } }),
  }
}

/** What other than guests takes of a host. */
export interface OtherUsage {
  /** Whole CPUs, MiB, GiB, rounded up. */
  on(host: string): Amounts
  /** Calls `listener` when that is different for a host. Returns what ends it. */
  onChange(listener: (host: string) => void): () => void
}

/**
 * Adds up what the Pods on each node ask for, other than guests: the kubelet takes no Pod whose requests do not fit
 * beside those of all others, whatever we have booked.
 */
export class PodUsage implements OtherUsage {
  readonly #pods: Informer<RequestingPod>
  readonly #sums = new Map<string, Amounts>()
  readonly #listeners = new Set<(host: string) => void>()
  #unsubscribe: (() => void) | undefined

  constructor(deps: { readonly pods: Informer<RequestingPod> }) {
    this.#pods = deps.pods
  }

  start(): void {
    this.#unsubscribe = this.#pods.onChange(({ object, old, type }) => {
      if (old) this.#count(old, minus)
      if (type !== 'deleted') this.#count(object, plus)
    })
    for (const pod of this.#pods.store.list()) this.#count(pod, plus)
  }

  stop(): void {
    this.#unsubscribe?.()
  }

  on(host: string): Amounts {
    const { vcpus, memoryMb, diskGb } = this.#sums.get(host) ?? NOTHING
    return { vcpus: Math.ceil(vcpus / 1000), memoryMb: Math.ceil(memoryMb), diskGb: Math.ceil(diskGb) }
  }

  onChange(listener: (host: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  #count(pod: RequestingPod, move: (a: Amounts, b: Amounts) => Amounts): void {
    const host = pod.spec?.nodeName
    if (!host) return
    const before = this.on(host)
    this.#sums.set(host, move(this.#sums.get(host) ?? NOTHING, requestsOf(pod)))
    const after = this.on(host)
    const isSame = (['vcpus', 'memoryMb', 'diskGb'] as const).every((kind) => before[kind] === after[kind])
    if (!isSame) for (const listener of this.#listeners) listener(host)
  }
}

/**
 * What a Pod asks for, as Kubernetes counts: its containers and sidecars together, or the greatest init container beside
 * the sidecars started before it, and its overhead. CPUs in thousandths, so that sums come out even.
 */
export function requestsOf({ spec, status }: RequestingPod): Amounts {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return NOTHING
  let sidecars = NOTHING
  let initial = NOTHING
  for (const container of spec?.initContainers ?? []) {
    const asked = amountsOf(container.resources?.requests)
    if (container.restartPolicy === 'Always') {
      sidecars = plus(sidecars, asked)
      initial = greater(initial, sidecars)
    } else initial = greater(initial, plus(sidecars, asked))
  }
  const running = (spec?.containers ?? []).reduce(
    (sum, { resources }) => plus(sum, amountsOf(resources?.requests)),
    sidecars,
  )
  return plus(greater(running, initial), amountsOf(spec?.overhead))
}

function amountsOf(requests: Readonly<Record<string, string>> = {}): Amounts {
  const amount = (name: string): number => parseQuantity(requests[name] ?? '0') ?? 0
  return {
    vcpus: Math.ceil(amount('cpu') * 1000),
    memoryMb: amount('memory') / 2 ** 20,
    diskGb: amount('ephemeral-storage') / 2 ** 30,
  }
}

function greater(a: Amounts, b: Amounts): Amounts {
  return {
    vcpus: Math.max(a.vcpus, b.vcpus),
    memoryMb: Math.max(a.memoryMb, b.memoryMb),
    diskGb: Math.max(a.diskGb, b.diskGb),
  }
}
