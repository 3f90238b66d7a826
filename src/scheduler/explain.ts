import { INSTANCE } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION, type InstanceAction } from '../apis/v1alpha1/instance-action.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { type Placement, placement } from '../objects/action-progress.ts'
import { describePlacement } from './describe-placement.ts'

/** Why an operation of an instance brought it to a host, or to none. */
export interface Explanation {
  readonly action: string
  readonly requestId: string
  readonly startTime: string
  readonly result?: string | undefined
  readonly message?: string | undefined
  readonly placement: Placement
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
      throw isNotFound(error) ? new InstanceNotFound({ instance: `${ref.namespace}/${ref.name}` }) : error
    },
  )
  const { items } = await client.list(INSTANCE_ACTION, { namespace: ref.namespace })
  return items
    .filter(({ spec }) => spec.instance === ref.name && spec.instanceUid === uid)
    .flatMap(toExplanation)
    .sort((a, b) => (a.startTime < b.startTime ? 1 : -1))
}

function toExplanation({ spec, status }: InstanceAction): Explanation[] {
  const decision = placement.safeParse(status?.placement)
  if (!decision.success) return []
  const { action, requestId = '', startTime = '' } = spec
  return [
    {
      action,
      requestId,
      startTime,
      result: status?.result,
      message: status?.message,
      placement: decision.data,
    },
  ]
}

/** Decisions in lines to read. */
export function describeExplanations(name: string, explanations: readonly Explanation[]): string {
  if (explanations.length === 0) {
    return `No decision on ${name} is recorded: none was made yet, or the records of its operations have gone.\n`
  }
  return explanations
    .map(({ action, requestId, startTime, result, message, placement: decision }) => {
      // Without a host the decision itself says it.
      const why = message === undefined || decision.host === '' ? '' : `: ${message}`
      const end = result === undefined ? 'under way' : `${result}${why}`
      return `${action} of ${name} at ${startTime} (${requestId}): ${end}\n${describePlacement(decision)}`
    })
    .join('\n')
}
