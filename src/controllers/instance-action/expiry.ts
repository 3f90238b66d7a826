import { INSTANCE_ACTION, type InstanceAction } from '../../apis/v1alpha1/instance-action.ts'
import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import { isConflict, isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { Controller, type Result } from '../../kube/controller.ts'
import type { Informer } from '../../kube/informer.ts'
import { keyOf, refOf } from '../../kube/resource.ts'

export interface ExpiryOptions {
  /** How long the record of a finished operation is kept. */
  readonly keepFinishedMs: number
}

interface ExpiryDeps {
  readonly client: KubeClient
  readonly actions: Informer<InstanceAction>
  readonly clock: Clock
  readonly log: Logger
}

/** Removes the records of operations some time after they finished. */
export class ActionExpiry {
  readonly #deps: ExpiryDeps
  readonly #options: ExpiryOptions
  readonly #controller: Controller
  #unsubscribe: (() => void) | undefined

  constructor(deps: ExpiryDeps, options: ExpiryOptions) {
    this.#deps = deps
    this.#options = options
    this.#controller = new Controller(deps, {
      name: 'instance-action-expiry',
      concurrency: 1,
      reconcile: (key) => this.#reconcile(key),
    })
  }

  start(): void {
    this.#unsubscribe = this.#deps.actions.onChange(({ type, object }) => {
      if (type !== 'deleted' && object.status?.finishTime) this.#controller.enqueue(keyOf(refOf(object)))
    })
    for (const action of this.#deps.actions.store.list()) this.#controller.enqueue(keyOf(refOf(action)))
    this.#controller.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#controller.stop()
  }

  async #reconcile(key: string): Promise<Result> {
    const action = this.#deps.actions.store.get(key)
    const finishTime = action?.status?.finishTime
    if (!action || !finishTime) return { kind: 'done' }
    const leftMs = Date.parse(finishTime) + this.#options.keepFinishedMs - this.#deps.clock.now()
    if (leftMs > 0) return { kind: 'after', ms: leftMs }
    const { uid } = action.metadata
    try {
      await this.#deps.client.delete(INSTANCE_ACTION, refOf(action), { uid })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
    return { kind: 'done' }
  }
}
