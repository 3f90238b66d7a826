import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { SystemClock } from '../common/clock.ts'
import { loggerTo } from '../common/log.ts'
import { Informer } from '../kube/informer.ts'
import type { KubeClient } from '../kube/client.ts'
import { keyOf, type ObjectRef } from '../kube/resource.ts'

/** Follows instances as a user with `kubectl get -w` would, and waits for what they become. */
export class InstanceFollower {
  readonly #informer: Informer<Instance>
  readonly #onChange: (instance: Instance) => void

  constructor(
    deps: { readonly client: KubeClient },
    onChange: (instance: Instance) => void = () => undefined,
  ) {
    const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
    this.#informer = new Informer({ client: deps.client, clock: new SystemClock(), log }, { type: INSTANCE })
    this.#onChange = onChange
  }

  start(): void {
    let last = ''
    this.#informer.onChange(({ type, object }) => {
      if (type === 'deleted') return
      // Labels, finalizers and the like change nothing that is shown.
      const shown = JSON.stringify([object.metadata.name, object.status])
      if (shown !== last) this.#onChange(object)
      last = shown
    })
    this.#informer.start()
  }

  stop(): void {
    void this.#informer.stop()
  }

  /** Resolves with the instance once it is as wanted. */
  async until(ref: ObjectRef, isWanted: (instance: Instance) => boolean): Promise<Instance> {
    return new Promise((resolve) => {
      const look = (): void => {
        const instance = this.#informer.store.get(keyOf(ref))
        if (!instance || !isWanted(instance)) return
        unsubscribe()
        resolve(instance)
      }
      const unsubscribe = this.#informer.onChange(look)
      look()
    })
  }

  /** Resolves once there is no such instance. */
  async untilGone(ref: ObjectRef): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#informer.store.get(keyOf(ref))) return
        unsubscribe()
        resolve()
      }
      const unsubscribe = this.#informer.onChange(look)
      look()
    })
  }
}
