import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { isConflict } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { InstanceRef } from './build-request.ts'
import { type ExpectedState, checkExpected } from './expected-state.ts'
import type { InstanceUpdate } from './instance-update.ts'
import { isNotThere } from './not-there.ts'
import { toStatusPatch } from './status-patch.ts'

/** How often a save starts over because somebody else wrote in between, without taking what it expects away. */
const MAX_RACES = 10

/** Reads and conditional writes of instances, for the services that may write them: nova.objects.Instance. */
export class InstanceStore {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #observe: (instance: Instance) => void

  /** @param deps.observe is told of each answer to our own writes, so that a cache never falls behind them. */
  constructor(deps: {
    readonly client: KubeClient
    readonly clock: Clock
    readonly observe?: (instance: Instance) => void
  }) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#observe = deps.observe ?? (() => undefined)
  }

  /** @throws InstanceNotFound when it is gone, or another instance bears its name now */
  async get(ref: InstanceRef): Promise<Instance> {
    try {
      const instance = await this.#client.get(INSTANCE, { namespace: ref.namespace, name: ref.name })
      if (instance.metadata.uid === ref.uid) return instance
    } catch (error) {
      if (!isNotThere(error, ref.name)) throw error
    }
    throw new InstanceNotFound({ instance: ref.uid })
  }

  /** The instance that bears this name now. */
  async find(ref: { readonly namespace: string; readonly name: string }): Promise<Instance | undefined> {
    try {
      return await this.#client.get(INSTANCE, ref)
    } catch (error) {
      if (!isNotThere(error, ref.name)) throw error
      return undefined
    }
  }

  /** The instances that are on a host, come from it or go to it. */
  async listByHost(host: string): Promise<readonly Instance[]> {
    const fields = ['status.host', 'status.migration.sourceHost', 'status.migration.destHost']
    const lists = await Promise.all(
      fields.map((field) => this.#client.list(INSTANCE, { fieldSelector: `${field}=${host}` })),
    )
    const byUid = new Map(lists.flatMap(({ items }) => items).map((one) => [one.metadata.uid, one]))
    return [...byUid.values()]
  }

  /**
   * Changes the state of an instance if it is as expected, in one conditional write. `instance` may be stale:
   * then it is read anew and the expectation tested again.
   *
   * @throws UnexpectedTaskStateError, UnexpectedDeletingTaskStateError when it is not as expected
   * @throws InstanceNotFound when it is gone
   */
  async save(instance: Instance, update: InstanceUpdate, expected: ExpectedState): Promise<Instance> {
    let current = instance
    for (let race = 0; ; race++) {
      checkExpected(current, expected)
      try {
        return await this.#write(current, update)
      } catch (error) {
        const { namespace = '', name, uid = '' } = current.metadata
        if (isNotThere(error, name)) throw new InstanceNotFound({ instance: uid })
        if (!isConflict(error) || race >= MAX_RACES) throw error
        current = await this.get({ namespace, name, uid })
      }
    }
  }

  async #write(current: Instance, update: InstanceUpdate): Promise<Instance> {
    const { namespace = '', name, resourceVersion } = current.metadata
    const status = toStatusPatch(current, update, toTimestamp(this.#clock.now()))
    const saved = await this.#client.mergePatch(
      INSTANCE,
      { namespace, name },
      { status },
      { subresource: 'status', resourceVersion },
    )
    this.#observe(saved)
    return saved
  }
}
