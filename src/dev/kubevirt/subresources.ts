import type { Clock } from '../../common/clock.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isFinal } from '../../virt/kubevirt/power-state.ts'
import {
  type StateChangeRequest,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { conflict, failure, notFound, type SubresourceAnswer } from './subresource-answer.ts'
import { GUEST_ACTIONS, GuestSubresources } from './guest-subresources.ts'

const GROUP = '/apis/subresources.kubevirt.io'
const ACTION = new RegExp(
  `^${GROUP}/v1/namespaces/([^/]+)/(virtualmachines|virtualmachineinstances)/([^/]+)/(\\w+)$`,
)
const ACCEPTED: SubresourceAnswer = { code: 202, body: {} }

interface Target {
  readonly ref: { readonly namespace: string; readonly name: string }
  readonly vm: VirtualMachine
  readonly vmi: VirtualMachineInstance | undefined
}

const VM_ACTIONS: ReadonlySet<string> = new Set(['start', 'stop', 'restart'])

/** What virt-api serves, as far as it makes sense with nobody inside. */
export class Subresources {
  readonly #client: KubeClient
  readonly #guests: GuestSubresources

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#guests = new GuestSubresources(deps)
  }

  async handle(method: string, path: string, body: unknown): Promise<SubresourceAnswer | undefined> {
    if (path === GROUP || path === `${GROUP}/v1`) return discovery(path)
    const [, namespace = '', plural, name = '', action = ''] = ACTION.exec(path) ?? []
    const actions = plural === 'virtualmachines' ? VM_ACTIONS : GUEST_ACTIONS
    if (!actions.has(action)) return undefined
    if (method !== 'PUT') return failure(405, 'MethodNotAllowed', `${method} is not served here`)
    const ref = { namespace, name }
    return plural === 'virtualmachines' ? this.#handleVm(ref, action, body) : this.#guests.handle(ref, action)
  }

  async #handleVm(ref: Target['ref'], action: string, body: unknown): Promise<SubresourceAnswer> {
    const target = await this.#find(ref)
    if (!target) return notFound('virtualmachine', ref.name)
    switch (action) {
      case 'start':
        return this.#start(target)
      case 'stop':
        return this.#stop(target, graceOf(body, 'gracePeriod'), [])
      default:
        return this.#stop(target, graceOf(body, 'gracePeriodSeconds'), [{ action: 'Start' }])
    }
  }

  async #start({ ref, vmi }: Target): Promise<SubresourceAnswer> {
    if (vmi && !isFinal(vmi)) return conflict('virtualmachine', ref.name, 'VM is already running')
    const left = vmi ? [stopOf(vmi)] : []
    return this.#request(ref, [...left, { action: 'Start' }])
  }

  /** Forced: the grace period is taken from the guest first; that works also while it is shutting down. */
  async #stop(
    { ref, vmi }: Target,
    graceSeconds: number | undefined,
    next: readonly StateChangeRequest[],
  ): Promise<SubresourceAnswer> {
    if (!vmi || isFinal(vmi)) return conflict('virtualmachine', ref.name, 'VM is not running')
    if (graceSeconds !== undefined) {
      const patch = { spec: { terminationGracePeriodSeconds: graceSeconds } }
      await this.#client.mergePatch(VIRTUAL_MACHINE_INSTANCE, ref, patch)
    }
    return this.#request(ref, [stopOf(vmi), ...next])
  }

  async #request(
    ref: Target['ref'],
    stateChangeRequests: readonly StateChangeRequest[],
  ): Promise<SubresourceAnswer> {
    const patch = { status: { stateChangeRequests } }
    await this.#client.mergePatch(VIRTUAL_MACHINE, ref, patch, { subresource: 'status' })
    return ACCEPTED
  }

  async #find(ref: Target['ref']): Promise<Target | undefined> {
    const [vm, vmi] = await Promise.all([
      orUndefined(this.#client.get(VIRTUAL_MACHINE, ref)),
      orUndefined(this.#client.get(VIRTUAL_MACHINE_INSTANCE, ref)),
    ])
    return vm && { ref, vm, vmi }
  }
}

function stopOf(vmi: VirtualMachineInstance): StateChangeRequest {
  return { action: 'Stop', uid: vmi.metadata.uid ?? '' }
}

function graceOf(body: unknown, member: string): number | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const value: unknown = Object.entries(body).find(([name]) => name === member)?.[1]
  return typeof value === 'number' ? value : undefined
}

/** The API server asks for these before it sends anything on to an aggregated API. */
function discovery(path: string): SubresourceAnswer {
  const version = { groupVersion: 'subresources.kubevirt.io/v1', version: 'v1' }
  const name = 'subresources.kubevirt.io'
  const body =
    path === GROUP
      ? { kind: 'APIGroup', apiVersion: 'v1', name, versions: [version], preferredVersion: version }
      : {
          kind: 'APIResourceList',
          apiVersion: 'v1',
          groupVersion: version.groupVersion,
          resources: [
            ...resourcesOf('virtualmachines', 'VirtualMachine', VM_ACTIONS),
            ...resourcesOf('virtualmachineinstances', 'VirtualMachineInstance', GUEST_ACTIONS),
          ],
        }
  return { code: 200, body }
}

function resourcesOf(plural: string, kind: string, actions: ReadonlySet<string>): object[] {
  return [...actions].map((action) => ({
    name: `${plural}/${action}`,
    singularName: '',
    namespaced: true,
    kind,
    verbs: ['update'],
  }))
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
