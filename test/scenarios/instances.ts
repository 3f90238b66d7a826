import { INSTANCE, type Instance, type InstanceSpec } from '../../src/apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION, type InstanceAction } from '../../src/apis/v1alpha1/instance-action.ts'
import { defineResource, type KubeObject } from '../../src/kube/resource.ts'
import type { World } from './world.ts'

export const VM = defineResource({
  group: 'kubevirt.io',
  version: 'v1',
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  namespaced: true,
})

interface KubeEvent extends KubeObject {
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

  async delete(name: string): Promise<void> {
    await this.#world.client.delete(INSTANCE, this.#ref(name))
  }

  async until(name: string, isWanted: (instance: Instance) => boolean): Promise<Instance> {
    return this.#world.follower.until(this.#ref(name), isWanted)
  }

  /** Waits until nothing is being done to it and it is in this vm_state. */
  async untilState(name: string, vmState: Instance['status']['vmState']): Promise<Instance> {
    return this.until(
      name,
      ({ status }) => status.vmState === vmState && status.taskState === undefined,
    )
  }

  async untilGone(name: string): Promise<void> {
    await this.#world.follower.untilGone(this.#ref(name))
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
    return items.sort((a, b) => (a.spec.startTime < b.spec.startTime ? -1 : 1))
  }

  /** Waits until the record of an operation says how it ended. */
  async actionEnd(name: string, action: string): Promise<InstanceAction> {
    for (;;) {
      const found = (await this.actions(name)).findLast(
        (one) => one.spec.action === action && one.status?.result,
      )
      if (found) return found
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async events(name: string): Promise<readonly KubeEvent[]> {
    const { items } = await this.#world.client.list(EVENT, {
      namespace: this.namespace,
      fieldSelector: `involvedObject.name=${name}`,
    })
    return items
  }

  async virtualMachines(): Promise<readonly KubeObject[]> {
    return (await this.#world.client.list(VM, { namespace: this.namespace })).items
  }

  #ref(name: string): { namespace: string; name: string } {
    return { namespace: this.namespace, name }
  }
}

export async function makeProject(world: World): Promise<Project> {
  return new Project(world, await world.namespace())
}
