import type { Instance } from '../apis/v1alpha1/instance.ts'
import { Forbidden } from '../common/errors/access.ts'
import { hostsOf } from '../objects/expected-state.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { describeSender, type Sender } from '../rpc/sender.ts'

/** What a compute agent may change of an instance on its host. Nova's conductor kept such a list too. */
const COMPUTE_MAY_SET: ReadonlySet<keyof InstanceUpdate> = new Set([
  'vmState',
  'taskState',
  'powerState',
  'host',
  'availabilityZone',
  'addresses',
  'fault',
  'launchedAt',
  'terminatedAt',
  'migration',
  'shelvedAt',
  'softDeletedAt',
  'resizedAt',
])

/**
 * The host of the compute agent that sent a message.
 * @throws Forbidden when the sender is no compute agent
 */
export function hostOfSender(sender: Sender): string {
  if (sender.service === 'compute') return sender.host
  throw new Forbidden({ reason: `'${describeSender(sender)}' is no compute agent` })
}

/**
 * Checks that an agent asks only for what it may: the fields above, and of a migration only how far it has come, or its end.
 * Which host it may name is told by the instance.
 * @throws Forbidden naming the field
 */
export function checkComputeMaySet(host: string, update: InstanceUpdate): void {
  const fields = Object.entries(update).filter(([, value]) => value !== undefined)
  const refused = fields.find(([field]) => !COMPUTE_MAY_SET.has(field as keyof InstanceUpdate))?.[0]
  const { migration } = update
  const ofMigration = Object.keys(migration ?? {}).find((field) => field !== 'status')
  const wrong = refused ?? (ofMigration && `migration.${ofMigration}`)
  if (wrong) {
    throw new Forbidden({ reason: `the compute agent of ${host} may not set '${wrong}' of an instance` })
  }
}

/**
 * Checks that an agent has a say in the instance: it is on its host, or comes or goes.
 * @throws Forbidden
 */
export function checkInvolves(host: string, { status, metadata }: Instance): void {
  if (hostsOf(status).includes(host)) return
  throw new Forbidden({
    reason: `instance ${metadata.uid} is on ${status.host ?? 'no host'}, not on ${host}`,
  })
}

/**
 * Checks that the instance is on the agent's host: of the guest itself only that agent tells, and only that one gives the host up.
 * @throws Forbidden
 */
export function checkIsOn(host: string, { status, metadata }: Instance): void {
  if (status.host === host) return
  throw new Forbidden({
    reason: `instance ${metadata.uid} is on ${status.host ?? 'no host'}, not on ${host}`,
  })
}
