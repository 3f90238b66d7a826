import { hasRun, isFinal, isStartPending, type Machine } from './power-state.ts'
import { conditionOf, trueCondition } from './resources.ts'

/** Why a guest does not come up. `host`: another host may do better. `abort`: none will. */
export interface Failure {
  readonly blame: 'host' | 'abort'
  readonly reason: string
}

/** What stands in the way, but may yet go away by itself; a failure when it lasts. */
export interface Obstacle extends Failure {
  readonly kind: string
}

export type BuildProgress =
  /** It runs, or it ran: then it was built. */
  | { readonly state: 'built' }
  | { readonly state: 'failed'; readonly failure: Failure }
  | { readonly state: 'waiting'; readonly obstacle?: Obstacle }

/** KubeVirt's webhook or its own check refused the guest: the same on every host. */
const REFUSED = /denied the request|failed create validation|exceeded quota/i

/** How far a guest that was asked to start has come. */
export function buildProgressOf(machine: Machine): BuildProgress {
  const { vm, vmi } = machine
  if (!vm) return failed('host', 'its VirtualMachine was removed while it was starting')
  if (vm.metadata.deletionTimestamp !== undefined) {
    return failed('host', 'its VirtualMachine is being deleted')
  }
  if (vmi?.status?.phase === 'Running') return { state: 'built' }
  if (vmi && isFinal(vmi) && !isStartPending(machine)) {
    return hasRun(vmi) ? { state: 'built' } : failed('host', endOf(machine))
  }
  const refusal = trueCondition(vm, 'Failure')
  if (refusal && REFUSED.test(refusal.message ?? '')) return failed('abort', textOf(refusal))
  const obstacle = obstacleOf(machine)
  return obstacle ? { state: 'waiting', obstacle } : { state: 'waiting' }
}

function failed(blame: Failure['blame'], reason: string): BuildProgress {
  return { state: 'failed', failure: { blame, reason } }
}

/** How a guest ended that never ran. */
function endOf({ vmi }: Machine): string {
  const why = conditionOf(vmi, 'Synchronized', 'False') ?? conditionOf(vmi, 'Ready', 'False')
  const detail = why ? textOf(why) : vmi?.status?.reason
  return `the guest ended before it ran${detail === undefined ? '' : ` (${detail})`}`
}

function textOf(condition: { readonly reason?: string; readonly message?: string }): string {
  return [condition.reason, condition.message].filter((part) => part).join(': ') || 'no reason given'
}

/** The statuses that are failures of KubeVirt's, with who is to blame. */
const OBSTACLES: Readonly<Record<string, { readonly blame: Failure['blame']; readonly reason: string }>> = {
  ErrorUnschedulable: { blame: 'host', reason: 'its launcher Pod cannot be scheduled' },
  ErrImagePull: { blame: 'host', reason: 'its image cannot be pulled' },
  ImagePullBackOff: { blame: 'host', reason: 'its image cannot be pulled' },
  ErrorPvcNotFound: { blame: 'abort', reason: 'its volume was not found' },
  FailedPvcNotFound: { blame: 'abort', reason: 'its volume was not found' },
  DataVolumeError: { blame: 'abort', reason: 'its disk could not be imported' },
}

/** From the VMI, which is told first, or else from the VM's one-word status. */
function obstacleOf(machine: Machine): Obstacle | undefined {
  const { vm, vmi } = machine
  const pod = conditionOf(vmi, 'PodScheduled', 'False')
  if (pod?.reason === 'Unschedulable') return obstacle('ErrorUnschedulable', pod.message)
  const sync = conditionOf(vmi, 'Synchronized', 'False')
  if (sync) return obstacle(sync.reason ?? 'Synchronized', sync.message)
  const failure = trueCondition(vm, 'Failure')
  if (failure) return obstacle(failure.reason ?? 'Failure', failure.message)
  const status = vm?.status?.printableStatus ?? ''
  return status in OBSTACLES ? obstacle(status, undefined) : undefined
}

function obstacle(kind: string, message: string | undefined): Obstacle {
  const { blame, reason } = OBSTACLES[kind] ?? { blame: 'host' as const, reason: `KubeVirt reports ${kind}` }
  return { kind, blame, reason: message ? `${reason}: ${message}` : reason }
}
