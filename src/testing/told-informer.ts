import type { Clock } from '../common/clock.ts'
import { Informer, type InformerOptions } from '../kube/informer.ts'
import type { KubeObject, ResourceType } from '../kube/resource.ts'
import { FakeClock } from './fake-clock.ts'
import { captureLog } from './log-capture.ts'
import { MemoryKubeClient } from './memory-kube-client.ts'

/** An informer that follows no server: a test tells it what there is. For code that only reads one. */
export class ToldInformer<T extends KubeObject> {
  readonly informer: Informer<T>
  #version = 1000

  constructor(
    type: ResourceType<T>,
    clock: Clock = new FakeClock(),
    options: Pick<InformerOptions<T>, 'indexes' | 'trim'> = {},
  ) {
    const deps = { client: new MemoryKubeClient(), clock, log: captureLog().log }
    this.informer = new Informer(deps, { type, ...options })
  }

  /** An object is there, or has changed. */
  tell(object: T): void {
    const metadata = { ...object.metadata, resourceVersion: `${++this.#version}` }
    this.informer.observe({ ...object, metadata })
  }

  /** An object is gone. */
  tellGone(object: T): void {
    const { finalizers: _, ...rest } = object.metadata
    this.tell({ ...object, metadata: { ...rest, deletionTimestamp: '2026-01-01T00:00:00Z' } })
  }
}
