import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { E2E } from '../../hack/e2e/settings.ts'
import { SystemClock } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { Informer } from '../../src/kube/informer.ts'
import { POD, type Pod } from './pods.ts'

const COMPONENT_LABEL = 'app.kubernetes.io/component'

/** Follows the log of a container: tells each piece of it, and resolves when the container has ended. */
export type FollowLog = (
  pod: string,
  container: string,
  onText: (text: string) => void,
  signal: AbortSignal,
) => Promise<void>

export interface PodLogsDeps {
  readonly client: KubeClient
  readonly follow: FollowLog
}

/**
 * The logs of a release's Pods, from when they began, in memory and in files: Kubernetes forgets a Pod's log with the Pod.
 * Pods of one service share a log; each agent has its own, by its node.
 */
export class PodLogs {
  readonly #follow: FollowLog
  readonly #folder: string
  readonly #pods: Informer<Pod>
  readonly #texts = new Map<string, string[]>()
  /** By container id: a container that is started anew has another. */
  readonly #followed = new Set<string>()
  readonly #stop = new AbortController()

  constructor({ client, follow }: PodLogsDeps, folder: string) {
    this.#follow = follow
    this.#folder = folder
    const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
    this.#pods = new Informer(
      { client, clock: new SystemClock(), log },
      {
        type: POD,
        namespace: E2E.namespace,
        labelSelector: `app.kubernetes.io/instance=${E2E.release}`,
      },
    )
  }

  async start(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true })
    this.#pods.onChange(({ type, object }) => {
      if (type !== 'deleted') this.#look(object)
    })
    this.#pods.start()
    await this.#pods.synced()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#pods.stop()
  }

  of(service: string): string {
    const texts = this.#texts.get(service) ?? []
    const text = texts.join('')
    if (texts.length > 1) this.#texts.set(service, [text])
    return text
  }

  #look(pod: Pod): void {
    const service = serviceOf(pod)
    for (const { name, containerID } of pod.status?.containerStatuses ?? []) {
      if (!containerID || this.#followed.has(containerID)) continue
      this.#followed.add(containerID)
      const keep = (text: string): void => this.#keep(service, text)
      this.#follow(pod.metadata.name, name, keep, this.#stop.signal).catch((error: unknown) => {
        if (!this.#stop.signal.aborted) keep(`${String(error)}\n`)
      })
    }
  }

  #keep(service: string, text: string): void {
    const texts = this.#texts.get(service) ?? []
    texts.push(text)
    this.#texts.set(service, texts)
    appendFileSync(join(this.#folder, `${service}.log`), text)
  }
}

function serviceOf({ metadata, spec }: Pod): string {
  const component = metadata.labels?.[COMPONENT_LABEL] ?? 'other'
  return component === 'compute' ? `nova-compute-${spec.nodeName}` : `nova-${component}`
}
