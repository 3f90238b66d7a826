import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { ControlPlane } from './parts/control-plane.ts'

const POLL_MS = 50
const PLURALS = ['deployments', 'statefulsets', 'daemonsets'] as const
/** On a Pod: for which node or number, and of which template it was made. */
const KEY = 'paper.kilonova.dev/key'
const TEMPLATE = 'paper.kilonova.dev/template'

const labels = z.record(z.string(), z.string())
const workload = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string(), generation: z.number() }),
  spec: z.looseObject({
    replicas: z.number().optional(),
    selector: z.looseObject({ matchLabels: labels }),
    template: z.looseObject({
      metadata: z.looseObject({ labels }),
      spec: z.looseObject({
        nodeSelector: labels.optional(),
        containers: z.array(z.looseObject({ name: z.string(), image: z.string() })),
      }),
    }),
  }),
})
type Workload = z.infer<typeof workload>
const meta = z.looseObject({
  metadata: z.looseObject({ name: z.string(), labels: labels.optional(), annotations: labels.optional() }),
})
type Named = z.infer<typeof meta>

/**
 * Does on paper what controllers and kubelets do: makes the Pods of Deployments, StatefulSets and DaemonSets, says that they
 * are ready, and takes them away. Nothing runs.
 */
export class PaperCluster {
  readonly #plane: ControlPlane
  #running: Promise<void> | undefined
  #isStopped = false

  constructor(plane: ControlPlane) {
    this.#plane = plane
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Rejects with what went wrong meanwhile. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** What a node does when the containers of a Pod have died. */
  async restartContainers(namespace: string, pod: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}`
    const { status } = z
      .looseObject({
        status: z.looseObject({
          containerStatuses: z.array(z.looseObject({ name: z.string(), image: z.string() })),
        }),
      })
      .parse(await this.#get(path))
    await this.#write('PATCH', `${path}/status`, { status: readyStatus(status.containerStatuses) })
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      for (const plural of PLURALS) {
        for (const one of await this.#list(`/apis/apps/v1/${plural}`, workload)) await this.#tend(plural, one)
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  async #tend(plural: string, { metadata, spec }: Workload): Promise<void> {
    const nodes = await this.#list('/api/v1/nodes', meta)
    const selector = Object.entries(spec.selector.matchLabels).map(([name, value]) => `${name}=${value}`)
    const path = `/api/v1/namespaces/${metadata.namespace}/pods`
    const pods = await this.#list(`${path}?labelSelector=${selector.join(',')}`, meta)
    const isWanted = matches(spec.template.spec.nodeSelector ?? {})
    const wanted =
      plural === 'daemonsets'
        ? nodes.filter(isWanted).map((node) => node.metadata.name)
        : Array.from({ length: spec.replicas ?? 1 }, (_, index) => String(index))
    const template = JSON.stringify(spec.template)
    const kept = new Set<string>()
    for (const pod of pods) {
      const { [KEY]: key = '', [TEMPLATE]: made } = pod.metadata.annotations ?? {}
      if (wanted.includes(key) && made === template) kept.add(key)
      else await this.#write('DELETE', `${path}/${pod.metadata.name}?gracePeriodSeconds=0`)
    }
    for (const key of wanted.filter((one) => !kept.has(one))) {
      const name = `${metadata.name}-${key}-${randomUUID().slice(0, 5)}`
      const nodeName =
        plural === 'daemonsets' ? key : (nodes[Number(key) % nodes.length]?.metadata.name ?? '')
      const containers = spec.template.spec.containers.map(({ name: container, image }) => ({
        name: container,
        image,
      }))
      await this.#write('POST', path, {
        metadata: {
          name,
          labels: spec.template.metadata.labels,
          annotations: { [KEY]: key, [TEMPLATE]: template },
        },
        spec: { nodeName, containers, automountServiceAccountToken: false },
      })
      await this.#write('PATCH', `${path}/${name}/status`, { status: readyStatus(containers) })
    }
    const status = statusOf(plural, metadata.generation, wanted.length)
    const object = `/apis/apps/v1/namespaces/${metadata.namespace}/${plural}/${metadata.name}`
    await this.#write('PATCH', `${object}/status`, { status })
  }

  async #list<T>(path: string, item: z.ZodType<T>): Promise<readonly T[]> {
    return z.looseObject({ items: z.array(item) }).parse(await this.#get(path)).items
  }

  async #get(path: string): Promise<unknown> {
    return (await this.#plane.request(path)).json()
  }

  async #write(method: string, path: string, body?: object): Promise<void> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const answer = await this.#plane.request(path, {
      method,
      headers: { 'content-type': type },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await answer.text()
    // What somebody else has taken away meanwhile is no matter.
    if (!answer.ok && answer.status !== 404) throw new Error(`${method} ${path}: ${text}`)
  }
}

function matches(selector: Readonly<Record<string, string>>): (node: Named) => boolean {
  return ({ metadata }) =>
    Object.entries(selector).every(([name, value]) => metadata.labels?.[name] === value)
}

function readyStatus(containers: readonly { readonly name: string; readonly image: string }[]): object {
  return {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready: true,
      restartCount: 0,
      containerID: `containerd://${randomUUID()}`,
    })),
  }
}

function statusOf(plural: string, observedGeneration: number, count: number): object {
  if (plural === 'daemonsets') {
    return {
      observedGeneration,
      currentNumberScheduled: count,
      desiredNumberScheduled: count,
      numberAvailable: count,
      numberMisscheduled: 0,
      numberReady: count,
      updatedNumberScheduled: count,
    }
  }
  const revision =
    plural === 'statefulsets' ? { currentRevision: 'one', updateRevision: 'one', currentReplicas: count } : {}
  return {
    observedGeneration,
    replicas: count,
    updatedReplicas: count,
    readyReplicas: count,
    availableReplicas: count,
    ...revision,
  }
}
