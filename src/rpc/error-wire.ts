import { z } from 'zod'
import {
  BuildAbortException,
  ComputeResourcesUnavailable,
  ConsoleNotAvailable,
  FlavorDiskSmallerThanMinDisk,
  FlavorMemoryTooSmall,
  FlavorNotFound,
  GroupAffinityViolation,
  InstanceGroupNotFound,
  OverQuota,
  Forbidden,
  GuestOperationFailure,
  ImageNotFound,
  InstanceDeployFailure,
  InstanceExists,
  InstanceInvalidState,
  InstanceNotFound,
  InstancePowerOffFailure,
  InstancePowerOnFailure,
  InstanceUserDataMalformed,
  KubernetesUnavailable,
  MaxRetriesExceeded,
  messageOf,
  MigrationError,
  NotSupported,
  NovaError,
  NoValidHost,
  PolicyNotAuthorized,
  ServiceStopping,
  SnapshotFailure,
  TaskTimedOut,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors.ts'
import {
  CannotMigrateToSameHost,
  CannotResizeDisk,
  ComputeHostNotFound,
  ComputeServiceInUse,
  GuestVanished,
  ImageConflict,
  ImageUnacceptable,
  InstanceIsLocked,
  InstanceNotReady,
  ServiceUnavailable,
} from '../common/state-errors.ts'
import {
  DeliveriesExhausted,
  InvalidArguments,
  InvalidMessage,
  MessageDeliveryFailure,
  MessageRefused,
  MessageUndeliverable,
  MessagingTimeout,
  NoSuchMethod,
  QueueUndeclared,
  RemoteError,
  UnsupportedVersion,
} from './errors.ts'

/** A class whose instances are made from their details alone. `never`: each class has details of its own. */
export type ErrorClass = new (details: never) => Error

/** Which class an error's name stands for. A name that is not here arrives as RemoteError. */
export type ErrorRegistry = Readonly<Record<string, ErrorClass>>

/** Every error of ours. A test holds it complete. */
export const ERRORS: ErrorRegistry = {
  BuildAbortException,
  CannotMigrateToSameHost,
  CannotResizeDisk,
  ComputeHostNotFound,
  ComputeResourcesUnavailable,
  ComputeServiceInUse,
  ConsoleNotAvailable,
  DeliveriesExhausted,
  FlavorDiskSmallerThanMinDisk,
  FlavorMemoryTooSmall,
  FlavorNotFound,
  GroupAffinityViolation,
  InstanceGroupNotFound,
  OverQuota,
  Forbidden,
  GuestOperationFailure,
  GuestVanished,
  ImageConflict,
  ImageNotFound,
  ImageUnacceptable,
  InstanceDeployFailure,
  InstanceExists,
  InstanceInvalidState,
  InstanceIsLocked,
  InstanceNotFound,
  InstanceNotReady,
  InstancePowerOffFailure,
  InstancePowerOnFailure,
  InstanceUserDataMalformed,
  InvalidArguments,
  InvalidMessage,
  KubernetesUnavailable,
  MaxRetriesExceeded,
  MessageDeliveryFailure,
  MessageRefused,
  MessageUndeliverable,
  MessagingTimeout,
  MigrationError,
  NoSuchMethod,
  NoValidHost,
  NotSupported,
  PolicyNotAuthorized,
  QueueUndeclared,
  RemoteError,
  ServiceStopping,
  ServiceUnavailable,
  SnapshotFailure,
  TaskTimedOut,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
  UnsupportedVersion,
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
      return new RemoteError({ type: record.name, reason: record.message }, { cause })
    }
  }
  return new RemoteError({ type: record.name, reason: record.message })
}
