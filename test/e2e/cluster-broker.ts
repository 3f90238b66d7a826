import { z } from 'zod'
import { E2E } from '../../hack/e2e/settings.ts'
import type { Transport } from '../../src/rpc/transport.ts'
import type { Broker } from '../scenarios/world.ts'
import type { Kubectl } from './kubectl.ts'
import { isReady } from './pods.ts'
import { selectorOf, type Workloads } from './workloads.ts'

/** Of NATS's own account of its streams: how many messages each has. */
const jsz = z.object({
  account_details: z
    .array(
      z.object({
        stream_detail: z.array(z.object({ state: z.object({ messages: z.number() }) })).optional(),
      }),
    )
    .optional(),
})

/** The messages in all streams of what a NATS server tells under `/jsz`. */
export function messagesIn(answer: string): number {
  const { account_details: accounts = [] } = jsz.parse(JSON.parse(answer))
  return accounts
    .flatMap(({ stream_detail: streams = [] }) => streams)
    .reduce((sum, { state }) => sum + state.messages, 0)
}

/** What is asked of a NATS server's monitoring port for `messagesIn`. */
export const STREAMS_PATH = '/jsz?acc=KILONOVA&streams=true'

/** The chart's NATS. */
export class ClusterBroker implements Broker {
  readonly #workloads: Workloads
  readonly #kubectl: Kubectl

  constructor(workloads: Workloads, kubectl: Kubectl) {
    this.#workloads = workloads
    this.#kubectl = kubectl
  }

  async goAway(): Promise<void> {
    await this.#workloads.scaleDown('nats')
  }

  async comeBack(): Promise<void> {
    await this.#workloads.scaleUp('nats')
  }

  async wipe(): Promise<void> {
    await this.goAway()
    const selector = `--selector=${selectorOf('nats')}`
    await this.#kubectl.run('delete', 'pvc', `--namespace=${E2E.namespace}`, selector, '--wait')
    await this.comeBack()
  }

  /** Each server has a copy of every stream, so one of them knows all. Nobody but the Pod itself reaches its monitoring port. */
  async stored(): Promise<number> {
    const pod = (await this.#workloads.pods('nats')).find(isReady)
    if (!pod) throw new Error('no NATS server is ready')
    const namespace = `--namespace=${E2E.namespace}`
    const url = `http://127.0.0.1:8222${STREAMS_PATH}`
    return messagesIn(
      await this.#kubectl.run('exec', namespace, pod.metadata.name, '--', 'wget', '-qO-', url),
    )
  }

  connect(): Transport {
    throw new Error('the chart’s NATS lets in the chart’s ServiceAccounts alone')
  }
}
