import { INSTANCE, type Instance } from '../src/apis/v1alpha1/instance.ts'
import { SystemClock } from '../src/common/clock.ts'
import { loggerTo } from '../src/common/log.ts'
import type { KubeClient } from '../src/kube/client.ts'
import { Informer } from '../src/kube/informer.ts'
import { apiVersionOf } from '../src/kube/resource.ts'

const NAMESPACE = 'default'
/** A run that hangs is to end and say so. */
const PATIENCE_MS = 60_000

interface Waiter {
  readonly wanted: string
  readonly resolve: (atMs: number) => void
  readonly reject: (error: Error) => void
}

/** A user in a hurry: creates instances, patches them, and sees on a watch what becomes of them. */
export class LoadGenerator {
  readonly #client: KubeClient
  readonly #informer: Informer<Instance>
  readonly #waiters = new Map<string, Waiter>()

  constructor(client: KubeClient) {
    this.#client = client
    const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
    this.#informer = new Informer({ client, clock: new SystemClock(), log }, { type: INSTANCE })
    this.#informer.onChange(({ object }) => this.#changed(object))
  }

  async start(): Promise<void> {
    this.#informer.start()
    await this.#informer.synced()
  }

  async stop(): Promise<void> {
    await this.#informer.stop()
  }

  /** Milliseconds from sending the create until the watch says active. */
  async launch(name: string): Promise<number> {
    return this.#timed(name, 'active', () => this.#client.create(INSTANCE, instanceOf(name)))
  }

  /** Milliseconds from sending the patch until the watch says stopped. */
  async shutOff(name: string): Promise<number> {
    const ref = { namespace: NAMESPACE, name }
    const patch = { spec: { powerState: 'Shutdown' } }
    return this.#timed(name, 'stopped', () => this.#client.mergePatch(INSTANCE, ref, patch))
  }

  async #timed(name: string, wanted: string, send: () => Promise<unknown>): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.#waiters.set(name, { wanted, resolve, reject })
    const timer = setTimeout(
      () => reject(new Error(`${name} was not ${wanted} within ${PATIENCE_MS / 1000} s`)),
      PATIENCE_MS,
    )
    const sentMs = performance.now()
    try {
      const [doneMs] = await Promise.all([promise, send()])
      return doneMs - sentMs
    } finally {
      clearTimeout(timer)
    }
  }

  #changed({ metadata, status }: Instance): void {
    const nowMs = performance.now()
    const waiter = this.#waiters.get(metadata.name)
    if (!waiter) return
    if (status.vmState === waiter.wanted && status.taskState === undefined) waiter.resolve(nowMs)
    else if (status.vmState === 'error') {
      waiter.reject(new Error(`${metadata.name} is in error: ${status.fault?.message ?? 'no fault'}`))
    } else return
    this.#waiters.delete(metadata.name)
  }
}

/** A small instance with what users usually say. */
export function instanceOf(name: string): Instance {
  return {
    apiVersion: apiVersionOf(INSTANCE),
    kind: INSTANCE.kind,
    metadata: { namespace: NAMESPACE, name },
    spec: { flavor: 'm1.tiny', image: 'cirros', powerState: 'Running' },
    // The server fills it with its defaults.
    status: {} as Instance['status'],
  }
}

export function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`)
}

export interface Pooled {
  readonly seconds: number
  readonly latencies: readonly number[]
}

/** Does the work for each name, so many at a time. */
export async function pooled(
  all: readonly string[],
  concurrency: number,
  work: (name: string) => Promise<number>,
): Promise<Pooled> {
  const startMs = performance.now()
  const latencies: number[] = []
  const rest = all.values()
  const worker = async (): Promise<void> => {
    for (const name of rest) latencies.push(await work(name))
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return { seconds: (performance.now() - startMs) / 1000, latencies }
}
