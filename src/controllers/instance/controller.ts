import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { Clock } from '../../common/clock.ts'
import { InstanceInvalidState } from '../../common/errors/instance-state.ts'
import { isPreempted } from '../../common/errors/preempted.ts'
import type { Logger } from '../../common/log.ts'
import type { ComputeApi } from '../../compute/api.ts'
import { isConflict, isNotFound } from '../../kube/api-error.ts'
import { Controller, type Result } from '../../kube/controller.ts'
import type { Informer } from '../../kube/informer.ts'
import { keyOf, refOf } from '../../kube/resource.ts'
import type { Duty } from './duty.ts'
import type { RequestContexts } from './request.ts'
import type { TaskWatch } from './task-watch.ts'

interface InstanceControllerDeps {
  readonly instances: Informer<Instance>
  readonly api: ComputeApi
  readonly tasks: TaskWatch
  /** In the order they are asked. */
  readonly duties: readonly Duty[]
  readonly contexts: RequestContexts
  readonly clock: Clock
  readonly log: Logger
}

/** Watches instances and has done what they ask: our nova-api. Runs on the leader alone. */
export class InstanceController {
  readonly #deps: InstanceControllerDeps
  readonly #log: Logger
  readonly #controller: Controller
  #unsubscribe: (() => void) | undefined

  constructor(deps: InstanceControllerDeps, options: { readonly concurrency: number }) {
    this.#deps = deps
    this.#log = deps.log.named('nova.api.instances')
    this.#controller = new Controller(deps, {
      name: 'instances',
      concurrency: options.concurrency,
      reconcile: (key) => this.#reconcile(key),
    })
  }

  start(): void {
    this.#unsubscribe = this.#deps.instances.onChange(({ type, object }) => {
      if (type === 'deleted') this.#deps.tasks.forget(object.metadata.uid ?? '')
      else this.#controller.enqueue(keyOf(refOf(object)))
    })
    for (const instance of this.#deps.instances.store.list()) this.#controller.enqueue(keyOf(refOf(instance)))
    this.#controller.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#controller.stop()
  }

  async #reconcile(key: string): Promise<Result> {
    const instance = this.#deps.instances.store.get(key)
    if (!instance) return { kind: 'done' }
    try {
      for (const duty of this.#deps.duties) {
        const result = await duty.reconcile(instance)
        if (result) return result
      }
      return await this.#settled(instance)
    } catch (error) {
      // Somebody changed the instance first: their change comes by the watch, and with it the next turn.
      if (!isOvertaken(error)) throw error
      this.#log
        .with(this.#deps.contexts.of(instance), instance.metadata.uid)
        .debug('Lost a race', { reason: error.message })
      return { kind: 'waiting', on: 'the change that came first' }
    }
  }

  /** A change of spec that asked for nothing (metadata, or a change taken back) is noted. */
  async #settled(instance: Instance): Promise<Result> {
    const { generation = 1 } = instance.metadata
    if ((instance.status.observedGeneration ?? 0) < generation) {
      await this.#deps.api.acknowledge(this.#deps.contexts.of(instance), instance)
    }
    return { kind: 'done' }
  }
}

function isOvertaken(error: unknown): error is Error {
  return isConflict(error) || isNotFound(error) || isPreempted(error) || error instanceof InstanceInvalidState
}
