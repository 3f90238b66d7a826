import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { InstanceUpdateArgs } from './rpcapi.ts'

/** Whether an instance is as this update of its host's agent would have left it. */
export function isCarriedOut({ status }: Instance, host: string, args: InstanceUpdateArgs): boolean {
  const { update, expected } = args
  const isThere = update.host !== null && status.host === host
  const isGivenBack = update.host === null && !status.host && (status.triedHosts ?? []).includes(host)
  return (
    (isThere || isGivenBack) &&
    isSame(update.vmState, status.vmState) &&
    isSame(update.taskState, status.taskState) &&
    isSame(expected.attempt, status.attempt) &&
    // The very moment: only the same try of the same operation has it.
    isSame(update.launchedAt, status.launchedAt) &&
    isSame(update.terminatedAt, status.terminatedAt)
  )
}

/** What was not asked for is as it may; `null` asks for nothing to be there. */
function isSame(asked: string | number | null | undefined, actual: string | number | undefined): boolean {
  return asked === undefined || asked === (actual ?? null)
}
