import { z } from 'zod'
import { TASK_STATES, VM_STATES } from '../apis/v1alpha1/states.ts'
import { imageMeta, instanceFlavor } from './build-request.ts'

export const vmState = z.enum(VM_STATES)
export const taskState = z.enum(TASK_STATES)
export const powerState = z.enum(['NOSTATE', 'RUNNING', 'PAUSED', 'SHUTDOWN', 'CRASHED', 'SUSPENDED'])

/** Who locked an instance. */
export const lockedBy = z.enum(['owner', 'admin'])

export const fault = z.object({
  code: z.int(),
  reason: z.string().optional(),
  message: z.string(),
  host: z.string().optional(),
  requestId: z.string(),
  created: z.string(),
})

export const guestAddress = z.object({
  address: z.string(),
  network: z.string().optional(),
  macAddress: z.string().optional(),
})

/** The way of an instance from one host or flavor to another. Nova's migration record. */
export const migration = z.object({
  type: z.enum(['resize', 'migration', 'live-migration', 'evacuation']),
  status: z.enum(['accepted', 'preparing', 'running', 'finished', 'confirming', 'reverting']),
  sourceHost: z.string().optional(),
  destHost: z.string().optional(),
  requestedHost: z.string().optional(),
  oldVmState: z.enum(['active', 'stopped', 'paused', 'error']),
  oldFlavor: instanceFlavor.optional(),
  newFlavor: instanceFlavor.optional(),
})

export type MigrationState = z.infer<typeof migration>

/** The InstanceAction that an operation was asked for by, and what it gave along. */
export const askedBy = z.object({
  name: z.string(),
  operation: z.string(),
  image: z.string().optional(),
  imageName: z.string().optional(),
})
export type AskedBy = z.infer<typeof askedBy>

/** A change to an instance's state. What is left out stays; `null` takes a field away. */
export const instanceUpdate = z.object({
  vmState: vmState.optional(),
  taskState: taskState.nullable().optional(),
  powerState: powerState.optional(),
  host: z.string().nullable().optional(),
  availabilityZone: z.string().nullable().optional(),
  attempt: z.int().optional(),
  triedHosts: z.array(z.string()).optional(),
  alternates: z.array(z.string()).nullable().optional(),
  flavor: instanceFlavor.optional(),
  shutdownTimeoutSeconds: z.int().nullable().optional(),
  addresses: z.array(guestAddress).optional(),
  fault: fault.nullable().optional(),
  lockedBy: lockedBy.nullable().optional(),
  lockedReason: z.string().nullable().optional(),
  image: z.string().optional(),
  imageMeta: imageMeta.optional(),
  action: askedBy.nullable().optional(),
  /** What it names changes, the rest of the migration stays; `null` ends it. */
  migration: migration.partial().nullable().optional(),
  launchedAt: z.string().optional(),
  shelvedAt: z.string().nullable().optional(),
  softDeletedAt: z.string().nullable().optional(),
  resizedAt: z.string().nullable().optional(),
  terminatedAt: z.string().optional(),
  requestId: z.string().optional(),
  observedGeneration: z.int().optional(),
  id: z.string().optional(),
})
export type InstanceUpdate = z.infer<typeof instanceUpdate>
