import { INSTANCE } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION, type InstanceAction } from '../apis/v1alpha1/instance-action.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import type { KubeClient } from '../kube/client.ts'
import { type Placement, placement } from '../objects/action-progress.ts'
import { isNotThere } from '../objects/not-there.ts'
import { describePlacement } from './describe-placement.ts'
import { SELECT_DESTINATIONS_STEP } from './placement.ts'

/** Why an operation of an instance brought it to a host, or to none. */
export interface Explanation {
  readonly action: string
  readonly requestId: string
  readonly startTime: string
  readonly result?: string | undefined
  readonly message?: string | undefined
  /** Not there where it failed before there was a decision. */
  readonly placement?: Placement | undefined
}

/**
 * The decisions on an instance, newest first, from the records of its operations.
 * @throws InstanceNotFound
 */
export async function explain(
  client: Pick<KubeClient, 'get' | 'list'>,
  ref: { readonly namespace: string; readonly name: string },
): Promise<readonly Explanation[]> {
  const uid = await client.get(INSTANCE, ref).then(
    ({ metadata }) => metadata.uid,
    (error: unknown) => {
      throw isNotThere(error, ref.name)
        ? new InstanceNotFound({ instance: `${ref.namespace}/${ref.name}` })
        : error
    },
  )
  const { items } = await client.list(INSTANCE_ACTION, { namespace: ref.namespace })
  return items
    .filter(({ spec }) => spec.instance === ref.name && spec.instanceUid === uid)
    .flatMap(toExplanation)
    .sort((a, b) => (a.startTime < b.startTime ? 1 : -1))
}

function toExplanation(action: InstanceAction): Explanation[] {
  const { spec, status } = action
  const decision = placement.safeParse(status?.placement).data
  if (!decision && !failedUndecided(action)) return []
  const { requestId = '', startTime = '' } = spec
  return [
    {
      action: spec.action,
      requestId,
      startTime,
      result: status?.result,
      message: status?.message,
      placement: decision,
    },
  ]
}

/** Whether it ended because there could be no decision: over the quota, say, or without the flavor. */
function failedUndecided({ spec, status }: InstanceAction): boolean {
  const wasAsked = status?.events?.some(({ name }) => name === SELECT_DESTINATIONS_STEP) ?? false
  return status?.result === 'Error' && (wasAsked || spec.action === 'create')
}

/** Decisions in lines to read. */
export function describeExplanations(name: string, explanations: readonly Explanation[]): string {
  if (explanations.length === 0) {
    return `No decision on ${name} is recorded: none was made yet, or the records of its operations have gone.\n`
  }
  return explanations
    .map(({ action, requestId, startTime, result, message, placement: decision }) => {
      // A decision without a host says it itself.
      const why = message === undefined || decision?.host === '' ? '' : `: ${message}`
      const end = result === undefined ? 'under way' : `${result}${why}`
      return `${action} of ${name} at ${startTime} (${requestId}): ${end}\n${decision ? describePlacement(decision) : ''}`
    })
    .join('\n')
}
