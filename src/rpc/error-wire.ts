import { z } from 'zod'
import * as accessErrors from '../common/errors/access.ts'
import * as flavorAndImageErrors from '../common/errors/flavor-and-image.ts'
import * as guestErrors from '../common/errors/guest.ts'
import * as hostErrors from '../common/errors/host.ts'
import * as instanceStateErrors from '../common/errors/instance-state.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import * as schedulingErrors from '../common/errors/scheduling.ts'
import * as unavailableErrors from '../common/errors/unavailable.ts'
import * as rpcErrors from './errors.ts'

/** A class whose instances are made from their details alone. `never`: each class has details of its own. */
export type ErrorClass = new (details: never) => Error

/** Which class an error's name stands for. A name that is not here arrives as RemoteError. */
export type ErrorRegistry = Readonly<Record<string, ErrorClass>>

/** Every error of ours: these modules export their classes and nothing else. A test holds it complete. */
export const ERRORS: ErrorRegistry = {
  ...accessErrors,
  ...flavorAndImageErrors,
  ...guestErrors,
  ...hostErrors,
  ...instanceStateErrors,
  ...schedulingErrors,
  ...unavailableErrors,
  ...rpcErrors,
}

/** An error on the wire, and in a dead letter. */
export interface ErrorRecord {
  readonly name: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

export const ERROR_RECORD = z.object({
  name: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
})

/** What crosses the wire of an error: never its stack, which is for this service's own log. */
export function toRecord(error: unknown): ErrorRecord {
  const message = messageOf(error)
  if (error instanceof NovaError) return { name: error.name, message, details: error.details }
  return { name: error instanceof Error ? error.name : 'Error', message }
}

/** The error of a record, as an instance of its own class where that class is known. */
export function fromRecord(record: ErrorRecord, registry: ErrorRegistry): Error {
  const known = Object.hasOwn(registry, record.name) ? registry[record.name] : undefined
  if (known && record.details) {
    try {
      return new known(record.details as never)
    } catch (cause) {
      // A newer sender's details may lack what our class reads: then name and message are all there is.
      return new rpcErrors.RemoteError({ type: record.name, reason: record.message }, { cause })
    }
  }
  return new rpcErrors.RemoteError({ type: record.name, reason: record.message })
}
