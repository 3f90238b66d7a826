import type { Instance } from '../apis/v1alpha1/instance.ts'
import { hostsOf } from '../objects/expected-state.ts'
import type { InstanceUpdateArgs } from './rpcapi.ts'

/** Whether this very update of a host's agent was made before: it is asked for again when its answer was lost. */
export function isCarriedOut(
  { status }: Instance,
  args: InstanceUpdateArgs,
  by: { readonly host: string; readonly requestId: string },
): boolean {
  const { update, expected } = args
  // The moment of a launch is that of one try alone, whatever was done to the instance since.
  if (update.launchedAt !== undefined) {
    return status.launchedAt === update.launchedAt && hostsOf(status).includes(by.host)
  }
  const isThere =
    update.host === undefined
      ? hostsOf(status).includes(by.host)
      : update.host !== null && status.host === update.host
  const isScheduledAgain = update.taskState === 'scheduling'
  const isGivenBack =
    update.host === null && !status.host && (!isScheduledAgain || (status.triedHosts ?? []).includes(by.host))
  return (
    (isThere || isGivenBack) &&
    status.requestId === by.requestId &&
    isSame(update.vmState, status.vmState) &&
    isSame(update.taskState, status.taskState) &&
    isSame(expected.attempt, status.attempt)
  )
}

/** What was not asked for is as it may; `null` asks for nothing to be there. */
function isSame(asked: string | number | null | undefined, actual: string | number | undefined): boolean {
  return asked === undefined || asked === (actual ?? null)
}
