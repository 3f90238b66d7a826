import {
  INSTANCE,
  type Instance,
  type InstanceSpec,
  type InstanceStatus,
  type InstanceStatusFault,
} from '../../src/apis/v1alpha1/instance.ts'
import {
  INSTANCE_ACTION,
  type InstanceAction,
  type InstanceActionSpec,
} from '../../src/apis/v1alpha1/instance-action.ts'
import { defineResource, type KubeObject } from '../../src/kube/resource.ts'
import { VIRTUAL_MACHINE, type VirtualMachine } from '../../src/virt/kubevirt/resources.ts'
import { eventually } from './eventually.ts'
import { patience } from './patience.ts'
import type { World } from './world.ts'

const PATIENCE_MS = 40_000

interface KubeEvent extends KubeObject {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly involvedObject: { readonly name: string }
}

const EVENT = defineResource<KubeEvent>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
})

/** What a user does with instances, in one namespace. */
export class Project {
  readonly #world: World
  readonly namespace: string
  #asked = 0

  constructor(world: World, namespace: string) {
    this.#world = world
    this.namespace = namespace
  }

  async create(name: string, spec: Partial<InstanceSpec> = {}): Promise<Instance> {
    const manifest = {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'Instance',
      metadata: { namespace: this.namespace, name },
      spec: { flavor: 'm1.tiny', image: 'cirros', ...spec },
    }
    // A user writes neither the defaults nor the status.
    return this.#world.client.create(INSTANCE, manifest as Instance)
  }

  async patch(name: string, spec: Partial<InstanceSpec>): Promise<Instance> {
    return this.#world.client.mergePatch(INSTANCE, this.#ref(name), { spec })
  }

  async get(name: string): Promise<Instance> {
    return this.#world.client.get(INSTANCE, this.#ref(name))
  }

  async all(): Promise<readonly Instance[]> {
    return (await this.#world.client.list(INSTANCE, { namespace: this.namespace })).items
  }

  async delete(name: string): Promise<void> {
    await this.#world.client.delete(INSTANCE, this.#ref(name))
  }

  /** Fails when it takes too long, and says how the instance is then. */
  async until(name: string, isWanted: (instance: Instance) => boolean): Promise<Instance> {
    return inTime(this.#world.follower.until(this.#ref(name), isWanted), async () => {
      const { spec, status, metadata } = await this.get(name)
      return `${name} stayed ${JSON.stringify({ spec, status, deleted: metadata.deletionTimestamp })}`
    })
  }

  /** Waits until nothing is being done to it and it is in this vm_state. */
  async untilState(name: string, vmState: Instance['status']['vmState']): Promise<Instance> {
    return this.until(name, ({ status }) => status.vmState === vmState && status.taskState === undefined)
  }

  async untilGone(name: string): Promise<void> {
    await inTime(this.#world.follower.untilGone(this.#ref(name)), async () => {
      const { status, metadata } = await this.get(name)
      return `${name} did not go: ${JSON.stringify({ status, finalizers: metadata.finalizers })}`
    })
  }

  async untilAllGone(): Promise<void> {
    await Promise.all((await this.all()).map(({ metadata }) => this.untilGone(metadata.name)))
  }

  async launch(name: string, spec: Partial<InstanceSpec> = {}): Promise<Instance> {
    await this.create(name, spec)
    return this.untilState(name, 'active')
  }

  /** The records of an instance's operations, oldest first. */
  async actions(name: string): Promise<readonly InstanceAction[]> {
    const { items } = await this.#world.client.list(INSTANCE_ACTION, {
      namespace: this.namespace,
      fieldSelector: `spec.instance=${name}`,
    })
    return items.sort((a, b) => ((a.spec.startTime ?? '') < (b.spec.startTime ?? '') ? -1 : 1))
  }

  /** Waits until the record of an operation says how it ended. */
  async actionEnd(name: string, action: string): Promise<InstanceAction> {
    return eventually(`${action} of ${name} has ended`, async () =>
      (await this.actions(name)).findLast((one) => one.spec.action === action && one.status?.result),
    )
  }

  /** Asks for an operation by an InstanceAction. */
  async ask(spec: InstanceActionSpec): Promise<InstanceAction> {
    return this.#world.client.create(INSTANCE_ACTION, {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'InstanceAction',
      metadata: {
        namespace: this.namespace,
        name: `${spec.instance}-${spec.action.toLowerCase()}-${++this.#asked}`,
      },
      spec,
    })
  }

  /** Asks for an operation, and waits for how it ends. */
  async done(spec: InstanceActionSpec): Promise<InstanceAction> {
    return this.actionNamed((await this.ask(spec)).metadata.name)
  }

  /** Asks for an operation that must succeed, and gives the instance as it then is. */
  async perform(spec: InstanceActionSpec): Promise<Instance> {
    const { status } = await this.done(spec)
    if (status?.result !== 'Success')
      throw new Error(`${spec.action} of ${spec.instance}: ${status?.message}`)
    return this.until(spec.instance, (one) => one.status.taskState === undefined)
  }

  /** Waits until this very action says how it ended. */
  async actionNamed(name: string): Promise<InstanceAction> {
    return eventually(`the action ${name} has ended`, async () => {
      const action = await this.#world.client.get(INSTANCE_ACTION, this.#ref(name))
      return action.status?.result ? action : undefined
    })
  }

  /** Waits for an Event about an instance. */
  async event(name: string, reason: string): Promise<KubeEvent> {
    return eventually(`there is an event ${reason} of ${name}`, async () =>
      (await this.events(name)).find((one) => one.reason === reason),
    )
  }

  /** Waits until it is in error with nothing being done to it, and gives its fault. */
  async untilFault(name: string): Promise<InstanceStatusFault> {
    const { status } = await this.until(
      name,
      (one) => one.status.vmState === 'error' && one.status.taskState === undefined,
    )
    if (!status.fault) throw new Error(`${name} is in error without a fault`)
    return status.fault
  }

  /** What a service would write: for states that no operation of today leads to. */
  async setStatus(name: string, status: Partial<Record<keyof InstanceStatus, unknown>>): Promise<void> {
    await this.#world.client.mergePatch(INSTANCE, this.#ref(name), { status }, { subresource: 'status' })
  }

  /** The VM of an instance, if there is one of its name. */
  async virtualMachine(name: string): Promise<VirtualMachine | undefined> {
    return (await this.virtualMachines()).find(({ metadata }) => metadata.name === name)
  }

  async events(name: string): Promise<readonly KubeEvent[]> {
    const { items } = await this.#world.client.list(EVENT, {
      namespace: this.namespace,
      fieldSelector: `involvedObject.name=${name}`,
    })
    return items
  }

  async virtualMachines(): Promise<readonly VirtualMachine[]> {
    return (await this.#world.client.list(VIRTUAL_MACHINE, { namespace: this.namespace })).items
  }

  #ref(name: string): { namespace: string; name: string } {
    return { namespace: this.namespace, name }
  }
}

export async function makeProject(world: World): Promise<Project> {
  return new Project(world, await world.namespace())
}

/** Waits no longer than a test can; `describe` says what there was instead of what was waited for. */
async function inTime<T>(work: Promise<T>, describe: () => Promise<string>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), patience(PATIENCE_MS))
  })
  const outcome = await Promise.race([work.then((value) => ({ value })), late])
  clearTimeout(timer)
  if (outcome === 'late') throw new Error(await describe())
  return outcome.value
}
