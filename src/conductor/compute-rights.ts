import { Forbidden } from '../common/errors.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'

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

const COMPUTE_SENDER = 'nova-compute:'

/** How a compute agent names itself in its messages. */
export function computeSender(host: string): string {
  return `${COMPUTE_SENDER}${host}`
}

/**
 * The host of the compute agent that sent a message.
 * @throws Forbidden when the sender is no compute agent
 */
export function hostOfSender(sender: string): string {
  if (!sender.startsWith(COMPUTE_SENDER)) {
    throw new Forbidden({ reason: `'${sender}' is no compute agent` })
  }
  return sender.slice(COMPUTE_SENDER.length)
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
