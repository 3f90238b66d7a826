import type { Commands } from '../../hack/e2e/commands.ts'
import { E2E } from '../../hack/e2e/settings.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { eventually } from '../scenarios/eventually.ts'
import type { Kubectl } from './kubectl.ts'
import { isReady, POD, type Pod } from './pods.ts'

/** What the chart runs, by its component label. */
export const COMPONENTS = ['api', 'scheduler', 'conductor', 'nats-auth', 'compute', 'nats'] as const
export type Component = (typeof COMPONENTS)[number]

const KINDS: Readonly<Record<Component, 'deployment' | 'daemonset' | 'statefulset'>> = {
  api: 'deployment',
  scheduler: 'deployment',
  conductor: 'deployment',
  'nats-auth': 'deployment',
  compute: 'daemonset',
  nats: 'statefulset',
}

/** The chart's own numbers. */
export const REPLICAS: Readonly<Partial<Record<Component, number>>> = {
  api: 2,
  scheduler: 2,
  conductor: 2,
  'nats-auth': 2,
  nats: 3,
}

const WITHIN = '--timeout=5m'

export interface WorkloadsDeps {
  readonly client: KubeClient
  readonly kubectl: Kubectl
  readonly commands: Commands
  /** The program: the nodes are its containers. */
  readonly docker: string
}

/** Kilonova's services as the chart runs them: many Pods a service, which Kubernetes starts anew when they end. */
export class Workloads {
  readonly #deps: WorkloadsDeps

  constructor(deps: WorkloadsDeps) {
    this.#deps = deps
  }

  async pods(component: Component, node?: string): Promise<readonly Pod[]> {
    const where = node === undefined ? {} : { fieldSelector: `spec.nodeName=${node}` }
    const { items } = await this.#deps.client.list(POD, {
      namespace: E2E.namespace,
      labelSelector: selectorOf(component),
      ...where,
    })
    return items
  }

  /** All Pods of a Deployment or StatefulSet, until they are ready. */
  async scaleUp(component: Component): Promise<void> {
    await this.#inNamespace('scale', objectOf(component), `--replicas=${REPLICAS[component]}`)
    await this.ready(component)
  }

  /** In order: each has its grace period. Resolves when none is left. */
  async scaleDown(component: Component): Promise<void> {
    await this.#inNamespace('scale', objectOf(component), '--replicas=0')
    await this.#inNamespace('wait', 'pod', `--selector=${selectorOf(component)}`, '--for=delete', WITHIN)
  }

  /** The agent of a node. Resolves when it says that it has started. */
  async startAgent(node: string): Promise<void> {
    await this.#deps.kubectl.run('label', 'node', node, `${E2E.agentLabel}=present`, '--overwrite')
    await eventually(`the agent of ${node} is ready`, async () =>
      (await this.pods('compute', node)).some(isReady),
    )
  }

  /** In order, and Kubernetes does not start it anew. */
  async stopAgent(node: string): Promise<void> {
    await this.#deps.kubectl.run('label', 'node', node, `${E2E.agentLabel}=absent`, '--overwrite')
    await this.#inNamespace(
      'wait',
      'pod',
      `--selector=${selectorOf('compute')}`,
      `--field-selector=spec.nodeName=${node}`,
      '--for=delete',
      WITHIN,
    )
  }

  /** SIGKILL for all processes of the Pod, by the node itself. Kubernetes starts them anew. */
  async kill(pod: Pod): Promise<void> {
    const { commands, docker } = this.#deps
    for (const id of idsOf(pod)) {
      await commands.run(docker, ['exec', pod.spec.nodeName ?? '', 'crictl', 'stop', '--timeout', '0', id])
    }
  }

  /** The same, and resolves when the Pod is ready again with other containers. */
  async killAndAwait(pod: Pod): Promise<void> {
    await this.kill(pod)
    const killed = new Set(idsOf(pod))
    const { name, namespace = E2E.namespace } = pod.metadata
    await eventually(`${name} is back`, async () => {
      const now = await this.#deps.client.get(POD, { namespace, name })
      return isReady(now) && !idsOf(now).some((id) => killed.has(id))
    })
  }

  /** Replaces all Pods in the way the chart says, and resolves when that is done. */
  async rollOut(component: Component): Promise<void> {
    await this.#inNamespace('rollout', 'restart', objectOf(component))
    await this.ready(component)
  }

  /** Resolves when as many as are wanted are there and ready. */
  async ready(component: Component): Promise<void> {
    await this.#inNamespace('rollout', 'status', objectOf(component), WITHIN)
  }

  async #inNamespace(...args: readonly string[]): Promise<string> {
    return this.#deps.kubectl.run(`--namespace=${E2E.namespace}`, ...args)
  }
}

/** As the node knows them: without `containerd://`. */
function idsOf({ status }: Pod): readonly string[] {
  const ids = status?.containerStatuses?.map(({ containerID = '' }) => containerID.replace(/^\w+:\/\//, ''))
  return ids?.filter((id) => id !== '') ?? []
}

/** What `kubectl` calls the object that runs a component. */
export function objectOf(component: Component): string {
  return `${KINDS[component]}/${E2E.release}-${component}`
}

/** Selects the Pods of a component, and no other release's. */
export function selectorOf(component: Component): string {
  return `app.kubernetes.io/instance=${E2E.release},app.kubernetes.io/component=${component}`
}
