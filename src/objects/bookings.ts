import type { VmState } from '../apis/v1alpha1/states.ts'
import type { FlavorSize } from './build-request.ts'
import type { MigrationState } from './instance-update.ts'

/** What an instance books on one host. */
export interface HostBooking {
  readonly host: string
  readonly flavor: FlavorSize
}

/** What the bookings of an instance follow from. */
interface Booked {
  readonly host?: string | undefined
  readonly flavor?: FlavorSize | undefined
  readonly vmState?: VmState | undefined
  readonly migration?: MigrationState | undefined
}

/**
 * What an instance books: usually on its host alone. One that moves books at both ends, so that it can arrive and can go
 * back; an instance that is off keeps its booking, one that is shelved and offloaded has none. Nova's allocations in
 * placement, those of the migration record included.
 */
export function bookingsOf({ status }: { readonly status: Booked }): readonly HostBooking[] {
  const { host, flavor, vmState, migration } = status
  if (!flavor || vmState === 'deleted') return []
  const bookings: HostBooking[] = host ? [{ host, flavor }] : []
  if (!migration) return bookings
  const { sourceHost, destHost, oldFlavor = flavor, newFlavor = flavor } = migration
  if (sourceHost && sourceHost !== host) bookings.push({ host: sourceHost, flavor: oldFlavor })
  if (destHost && destHost !== host) bookings.push({ host: destHost, flavor: newFlavor })
  return bookings
}
