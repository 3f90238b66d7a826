import { Forbidden } from '../common/errors.ts'
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
 * Checks that an agent asks only for what it may: the fields above, and of the host only to give it back.
 * @throws Forbidden naming the field
 */
export function checkComputeMaySet(host: string, update: InstanceUpdate): void {
  const fields = Object.entries(update).filter(([, value]) => value !== undefined)
  const refused = fields.find(
    ([field, value]) =>
      !COMPUTE_MAY_SET.has(field as keyof InstanceUpdate) || (field === 'host' && value !== null),
  )
  if (refused) {
    throw new Forbidden({ reason: `the compute agent of ${host} may not set '${refused[0]}' of an instance` })
  }
}
