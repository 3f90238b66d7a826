import { isFinal } from '../../virt/kubevirt/power-state.ts'
import {
  type Condition,
  trueCondition,
  type VirtualMachineInstance,
  type VirtualMachineInstanceStatus,
} from '../../virt/kubevirt/resources.ts'
import type { Behaviour } from './behaviour.ts'
import type { Fit } from './placement.ts'
import { inPhase, notReady, running } from './vmi.ts'

/** What becomes of a guest next: a new status, its end, or nothing (before `afterMs` at least). */
export type GuestStep =
  | { readonly kind: 'write'; readonly status: VirtualMachineInstanceStatus }
  | { readonly kind: 'remove' }
  | { readonly kind: 'wait'; readonly afterMs?: number }

export interface GuestView {
  readonly vmi: VirtualMachineInstance
  readonly behaviour: Behaviour
  readonly fit: Fit
  readonly nowMs: number
  /** Since it was made, and since it was deleted. */
  readonly ageMs: number
  readonly stoppingMs: number
  readonly bootMs: number
  readonly shutdownMs: number
  readonly reserveAddress: () => string
}

const DEFAULT_GRACE_SECONDS = 30

/** What kube-scheduler, kubelet, virt-handler and the guest itself do, in one. Pure but for the address. */
export function guestStepOf(view: GuestView): GuestStep {
  const { vmi } = view
  const isDeleting = vmi.metadata.deletionTimestamp !== undefined
  if (isFinal(vmi)) return isDeleting ? { kind: 'remove' } : { kind: 'wait' }
  if (isDeleting) return stopping(view)
  switch (vmi.status?.phase) {
    case 'Running':
      return acting(view)
    case 'Scheduled':
      return booting(view)
    case 'Scheduling':
      return scheduling(view)
    default:
      return write(view, 'Scheduling', {
        conditions: [notReady('GuestNotRunning', 'Guest VM is not reported as running', view.nowMs)],
      })
  }
}

function write(view: GuestView, phase: string, change?: VirtualMachineInstanceStatus): GuestStep {
  return { kind: 'write', status: inPhase(phase, view.nowMs, view.vmi.status, change) }
}

function ended(view: GuestView, phase: 'Succeeded' | 'Failed'): GuestStep {
  return write(view, phase, {
    conditions: [notReady('PodTerminating', 'virt-launcher pod is terminating', view.nowMs)],
    interfaces: [],
  })
}

function scheduling(view: GuestView): GuestStep {
  const obstacle = obstacleOf(view)
  if (obstacle) return blocked(view, obstacle)
  const leftMs = view.bootMs / 2 - view.ageMs
  if (leftMs > 0) return { kind: 'wait', afterMs: leftMs }
  const nodeName = 'node' in view.fit ? view.fit.node.metadata.name : ''
  return write(view, 'Scheduled', {
    nodeName,
    conditions: [notReady('GuestNotRunning', 'Guest VM is not reported as running', view.nowMs)],
  })
}

function obstacleOf({ behaviour, fit }: GuestView): Omit<Condition, 'lastTransitionTime'> | undefined {
  if ('message' in fit || behaviour.isUnschedulable) {
    const message = 'message' in fit ? fit.message : '0/1 nodes are available: 1 Insufficient memory.'
    return { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }
  }
  if (!behaviour.hasImagePullError) return undefined
  const message = 'Back-off pulling image'
  return { type: 'Synchronized', status: 'False', reason: 'ErrImagePull', message }
}

function blocked({ vmi, nowMs }: GuestView, obstacle: Omit<Condition, 'lastTransitionTime'>): GuestStep {
  const isKnown = vmi.status?.conditions?.some(
    ({ type, reason, message }) =>
      type === obstacle.type && reason === obstacle.reason && message === obstacle.message,
  )
  if (isKnown) return { kind: 'wait' }
  const ready = notReady('GuestNotRunning', 'Guest VM is not reported as running', nowMs)
  return { kind: 'write', status: { ...vmi.status, conditions: [ready, obstacle] } }
}

function booting(view: GuestView): GuestStep {
  const { behaviour, vmi, nowMs, ageMs } = view
  if (behaviour.boot === 'never') return { kind: 'wait' }
  const leftMs = view.bootMs + behaviour.extraBootMs - ageMs
  if (leftMs > 0) return { kind: 'wait', afterMs: leftMs }
  if (behaviour.boot === 'crash') return ended(view, 'Failed')
  return {
    kind: 'write',
    status: running(vmi.status?.nodeName ?? '', view.reserveAddress(), nowMs, vmi.status),
  }
}

function acting(view: GuestView): GuestStep {
  switch (view.behaviour.act) {
    case 'poweroff':
      return ended(view, 'Succeeded')
    case 'crash':
      return ended(view, 'Failed')
    case undefined:
      return { kind: 'wait' }
  }
}

/** Asked to shut down. One that is killed when its grace is over has failed, to KubeVirt. */
function stopping(view: GuestView): GuestStep {
  const { vmi, behaviour, stoppingMs } = view
  if (vmi.status?.phase !== 'Running') return ended(view, 'Failed')
  const graceMs = (vmi.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000
  if (stoppingMs >= graceMs) return ended(view, 'Failed')
  const isDeaf = behaviour.isStubborn || trueCondition(vmi, 'Paused') !== undefined
  if (isDeaf) return { kind: 'wait', afterMs: graceMs - stoppingMs }
  if (stoppingMs >= view.shutdownMs) return ended(view, 'Succeeded')
  return { kind: 'wait', afterMs: Math.min(graceMs, view.shutdownMs) - stoppingMs }
}
