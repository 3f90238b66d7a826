import {
  INSTANCE_ACTION,
  type InstanceAction,
  type InstanceActionSpec,
} from '../apis/v1alpha1/instance-action.ts'
import { immediateOperations } from '../controllers/instance-action/asked.ts'
import { ActionRequests, OPEN_REQUESTS, openRequests } from '../controllers/instance-action/requests.ts'
import { Informer } from '../kube/informer.ts'
import { apiVersionOf } from '../kube/resource.ts'
import type { ApiWorld } from './api-world.ts'
import type { EmbeddedKube } from './embedded-kube.ts'
import { until } from './until.ts'

/** A nova-api that leads, one after the other, before the embedded API server: what users ask for by actions is its work. */
export class ActionLeader {
  readonly #world: ApiWorld
  readonly #kube: EmbeddedKube
  #informer: Informer<InstanceAction> | undefined
  #leader: ActionRequests | undefined

  constructor(world: ApiWorld, kube: EmbeddedKube) {
    this.#world = world
    this.#kube = kube
  }

  get informer(): Informer<InstanceAction> {
    if (!this.#informer) throw new Error('nobody has led yet')
    return this.#informer
  }

  /** A leader that knows what is there by now, and is told of what comes. */
  async lead(options: { readonly trustsRequester?: boolean } = {}): Promise<void> {
    const { clock, logs, actions, instances, recorder, api, immediate } = this.#world
    const deps = { client: this.#kube.client, clock, log: logs.log }
    const informer = new Informer(deps, { type: INSTANCE_ACTION, indexes: { [OPEN_REQUESTS]: openRequests } })
    for (const action of await this.#kube.actions()) informer.observe(action)
    this.#informer = informer
    this.#leader = new ActionRequests(
      {
        ...deps,
        actions: informer,
        instances,
        store: actions,
        api,
        operations: immediateOperations(immediate),
        events: recorder,
      },
      { trustsRequester: false, concurrency: 2, ...options },
    )
    this.#leader.start()
  }

  async stop(): Promise<void> {
    await this.#leader?.stop()
  }

  /** The leader is no more; another begins, if the API server works again. */
  async succeed(): Promise<void> {
    await this.stop()
    this.#kube.server.faults.clear()
    await this.lead()
  }

  /** Creates an action as a user does; whoever leads is told. */
  async ask(spec: Partial<InstanceActionSpec>, name = 'mine'): Promise<InstanceAction> {
    const created = await this.#kube.client.create(INSTANCE_ACTION, {
      apiVersion: apiVersionOf(INSTANCE_ACTION),
      kind: INSTANCE_ACTION.kind,
      metadata: { namespace: 'default', name },
      spec: { action: 'lock', instance: 'web', ...spec },
    })
    this.#informer?.observe(created)
    return created
  }

  /** Lets time go by, and tells the leader what is there, until an action is as it should be. */
  async until(
    what: string,
    holds: (action: InstanceAction) => boolean,
    name = 'mine',
  ): Promise<InstanceAction> {
    await until(`${name} ${what}`, async () => {
      await this.#world.clock.advance(100)
      const action = await this.#kube.action(name)
      this.#informer?.observe(action)
      return holds(action)
    })
    return this.#kube.action(name)
  }

  async ended(name = 'mine'): Promise<InstanceAction> {
    return this.until('has ended', ({ status }) => status?.finishTime !== undefined, name)
  }

  async accepted(name = 'mine'): Promise<InstanceAction> {
    return this.until('is accepted', ({ spec }) => spec.requestId !== undefined, name)
  }
}
