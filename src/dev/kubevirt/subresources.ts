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

/** What goes back over HTTP: KubeVirt answers 202 with nothing, or a Status. */
export interface SubresourceAnswer {
  readonly code: number
  readonly body: object
}

const GROUP = '/apis/subresources.kubevirt.io'
const ACTION = new RegExp(`^${GROUP}/v1/namespaces/([^/]+)/virtualmachines/([^/]+)/(start|stop|restart)$`)
const ACCEPTED: SubresourceAnswer = { code: 202, body: {} }

interface Target {
  readonly ref: { readonly namespace: string; readonly name: string }
  readonly vm: VirtualMachine
  readonly vmi: VirtualMachineInstance | undefined
}

/** What virt-api serves for virtualmachines, as far as it makes sense with nobody inside: start, stop, restart. */
export class Subresources {
  readonly #client: KubeClient

  constructor(deps: { readonly client: KubeClient }) {
    this.#client = deps.client
  }

  async handle(method: string, path: string, body: unknown): Promise<SubresourceAnswer | undefined> {
    if (path === GROUP || path === `${GROUP}/v1`) return discovery(path)
    const [, namespace = '', name = '', action] = ACTION.exec(path) ?? []
    if (action === undefined) return undefined
    if (method !== 'PUT') return failure(405, 'MethodNotAllowed', `${method} is not served here`)
    const target = await this.#find({ namespace, name })
    if (!target) return failure(404, 'NotFound', `virtualmachines.kubevirt.io "${name}" not found`, name)
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
    if (vmi && !isFinal(vmi)) return failure(409, 'Conflict', 'VM is already running', ref.name)
    const left = vmi ? [stopOf(vmi)] : []
    return this.#request(ref, [...left, { action: 'Start' }])
  }

  /** Forced: the grace period is taken from the guest first; that works also while it is shutting down. */
  async #stop(
    { ref, vmi }: Target,
    graceSeconds: number | undefined,
    next: readonly StateChangeRequest[],
  ): Promise<SubresourceAnswer> {
    if (!vmi || isFinal(vmi)) return failure(409, 'Conflict', 'VM is not running', ref.name)
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
          resources: ['start', 'stop', 'restart'].map((action) => ({
            name: `virtualmachines/${action}`,
            singularName: '',
            namespaced: true,
            kind: 'VirtualMachine',
            verbs: ['update'],
          })),
        }
  return { code: 200, body }
}

function failure(code: number, reason: string, message: string, name?: string): SubresourceAnswer {
  const details =
    name === undefined ? {} : { details: { name, group: 'kubevirt.io', kind: 'virtualmachines' } }
  return {
    code,
    body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, ...details },
  }
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
