import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import { requestIdOf } from '../../common/ids.ts'
import type { ComputeApi } from '../../compute/api.ts'
import { DONE, type Result } from '../../kube/controller.ts'
import type { Duty } from './duty.ts'
import type { TaskWatch } from './task-watch.ts'

/** How long states last that end by themselves, in milliseconds; Infinity where they do not. */
export interface OverdueOptions {
  /** Nova: resize_confirm_window. */
  readonly confirmResizeAfterMs: number
  /** Nova: shelved_offload_time. */
  readonly offloadShelvedAfterMs: number
  /** Nova: reclaim_instance_interval. */
  readonly reclaimAfterMs: number
}

/** What is to be done by itself, since when, and in how long. */
export interface Overdue {
  readonly act: 'confirmResize' | 'shelveOffload' | 'reclaim'
  readonly since: string
  readonly inMs: number
}

/**
 * Ends what was to last a while only: confirms resizes, frees the hosts of shelved instances, deletes soft-deleted ones for good.
 * Nova's periodic tasks `_poll_unconfirmed_resizes`, `_poll_shelved_instances` and `_reclaim_queued_deletes`.
 */
export class OverdueStates implements Duty {
  readonly #api: ComputeApi
  readonly #tasks: TaskWatch
  readonly #clock: Clock
  readonly #options: OverdueOptions

  constructor(
    deps: { readonly api: ComputeApi; readonly tasks: TaskWatch; readonly clock: Clock },
    options: OverdueOptions,
  ) {
    this.#api = deps.api
    this.#tasks = deps.tasks
    this.#clock = deps.clock
    this.#options = options
  }

  async reconcile(instance: Instance): Promise<Result | undefined> {
    const overdue = overdueOf(instance, this.#options, this.#clock.now())
    if (!overdue) return undefined
    if (overdue.inMs > 0) return { kind: 'after', ms: overdue.inMs }
    const ctx = contextOf(instance, overdue)
    if (overdue.act === 'reclaim') {
      await this.#api.reclaim(ctx, instance)
      return DONE
    }
    return this.#tasks.sent(await this.#api.begin(ctx, instance, overdue.act))
  }
}

/** What of an instance ends by itself, when nothing else is being done to it. One that is locked is not deleted. */
export function overdueOf(
  { status }: Pick<Instance, 'status'>,
  options: OverdueOptions,
  now: number,
): Overdue | undefined {
  const { vmState, taskState, shelvedAt, resizedAt, softDeletedAt, lockedBy, fault } = status
  if (taskState || fault) return undefined
  if (vmState === 'resized') return due('confirmResize', resizedAt, options.confirmResizeAfterMs, now)
  if (vmState === 'shelved') return due('shelveOffload', shelvedAt, options.offloadShelvedAfterMs, now)
  if (vmState === 'soft-delete' && !lockedBy)
    return due('reclaim', softDeletedAt, options.reclaimAfterMs, now)
  return undefined
}

// oxlint-disable-next-line max-params -- what is due since when, after how long, and when it is now
function due(
  act: Overdue['act'],
  since: string | undefined,
  afterMs: number,
  now: number,
): Overdue | undefined {
  if (since === undefined || afterMs === Number.POSITIVE_INFINITY) return undefined
  return { act, since, inMs: Math.max(0, Date.parse(since) + afterMs - now) }
}

/** A request of nova-api's own: the same whoever makes it, and however often. */
function contextOf({ metadata }: Instance, { act, since }: Overdue): RequestContext {
  const { uid = '', namespace = '-' } = metadata
  return {
    requestId: requestIdOf(`${uid}/${act}/${since}`, 1),
    user: '-',
    project: namespace,
    instanceUid: uid,
  }
}
