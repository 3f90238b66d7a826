import type { Clock } from '../../common/clock.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, type ObjectRef, refOf, type ResourceType } from '../../kube/resource.ts'
import { PERSISTENT_VOLUME_CLAIM } from './claim.ts'
import { VIRTUAL_MACHINE, type VirtualMachine } from './resources.ts'
import { retrying } from './retrying.ts'

/** What we ask for to move and to copy a guest: one request each, sent again for a while when the API is in trouble. */
export class MoveRequests {
  readonly #client: KubeClient
  readonly #clock: Clock

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#clock = deps.clock
  }

  /** Over this very version of the VM: rejects with a conflict when it changed meanwhile. */
  async patch(vm: VirtualMachine, patch: object): Promise<VirtualMachine> {
    const { resourceVersion } = vm.metadata
    return this.#send(async () =>
      this.#client.mergePatch(VIRTUAL_MACHINE, refOf(vm), patch, { resourceVersion }),
    )
  }

  /** The storage may do it at once, or when the guest starts. */
  async growClaim(claim: ObjectRef, storage: string): Promise<void> {
    const patch = { spec: { resources: { requests: { storage } } } }
    await this.#send(async () => this.#client.mergePatch(PERSISTENT_VOLUME_CLAIM, claim, patch))
  }

  /** Undefined when there is none of that name. */
  async find<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef): Promise<T | undefined> {
    try {
      return await this.#send(async () => this.#client.get(type, ref))
    } catch (error) {
      // One that names nothing means that the kind is not served.
      if (isNotFound(error) && error.details?.name === ref.name) return undefined
      throw error
    }
  }

  /** The object as it was made, or as it is there already. */
  async make<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> {
    try {
      return await this.#send(async () => this.#client.create(type, object))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    return this.#send(async () => this.#client.get(type, refOf(object)))
  }

  async remove<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<void> {
    const { uid } = object.metadata
    try {
      await this.#send(async () => this.#client.delete(type, refOf(object), { uid }))
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  async #send<T>(send: () => Promise<T>): Promise<T> {
    return retrying(this.#clock, send)
  }
}
