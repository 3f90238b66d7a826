import type { ActionName } from '../apis/v1alpha1/states.ts'

/** What an Event says when an operation of an agent succeeded. */
interface Outcome {
  readonly reason: string
  sentence(host: string): string
}

/** By action. The operations that nova-api does by itself tell of themselves. */
export const DONE: Readonly<Record<ActionName, Outcome>> = {
  create: { reason: 'Launched', sentence: (host) => `Instance is active on ${host}` },
  start: { reason: 'Started', sentence: (host) => `Instance was started on ${host}` },
  stop: { reason: 'Stopped', sentence: (host) => `Instance was shut off on ${host}` },
  pause: { reason: 'Paused', sentence: (host) => `Instance was paused on ${host}` },
  unpause: { reason: 'Unpaused', sentence: (host) => `Instance goes on on ${host}` },
  suspend: { reason: 'Suspended', sentence: (host) => `Instance was suspended on ${host}` },
  resume: { reason: 'Resumed', sentence: (host) => `Instance was resumed on ${host}` },
  reboot: { reason: 'Rebooted', sentence: (host) => `Instance was rebooted on ${host}` },
  rescue: { reason: 'Rescued', sentence: (host) => `Instance runs from its rescue disk on ${host}` },
  unrescue: { reason: 'Unrescued', sentence: (host) => `Instance runs from its own disk again on ${host}` },
  rebuild: { reason: 'Rebuilt', sentence: (host) => `Instance was rebuilt on ${host}` },
  resize: {
    reason: 'Resized',
    sentence: (host) => `Instance was resized, on ${host}; confirm or revert it`,
  },
  migrate: { reason: 'Migrated', sentence: (host) => `Instance was moved to ${host}; confirm or revert it` },
  confirmResize: {
    reason: 'ResizeConfirmed',
    sentence: (host) => `The resize is confirmed; ${host} is free of it`,
  },
  revertResize: { reason: 'ResizeReverted', sentence: (host) => `Instance is as it was, back on ${host}` },
  'live-migration': {
    reason: 'LiveMigrated',
    sentence: (host) => `Instance moved away from ${host} while it ran`,
  },
  evacuate: { reason: 'Evacuated', sentence: (host) => `Instance was evacuated to ${host}` },
  shelve: { reason: 'Shelved', sentence: (host) => `Instance was shelved on ${host}` },
  shelveOffload: {
    reason: 'ShelveOffloaded',
    sentence: (host) => `Instance left ${host}, which is free of it`,
  },
  unshelve: { reason: 'Unshelved', sentence: (host) => `Instance is active again on ${host}` },
  createImage: { reason: 'ImageCreated', sentence: (host) => `An image of the instance was made on ${host}` },
  softDelete: {
    reason: 'SoftDeleted',
    sentence: (host) => `Instance is off on ${host} until it is restored or reclaimed`,
  },
  restore: { reason: 'Restored', sentence: (host) => `Instance was restored on ${host}` },
  delete: { reason: 'Terminated', sentence: (host) => `Guest was removed from ${host}` },
  forceDelete: { reason: 'Deleted', sentence: () => 'Instance is being deleted' },
  lock: { reason: 'Locked', sentence: () => 'Instance is locked' },
  unlock: { reason: 'Unlocked', sentence: () => 'Instance is unlocked' },
  resetState: { reason: 'StateReset', sentence: () => 'State of the instance was reset' },
  getConsoleOutput: { reason: 'ConsoleRead', sentence: (host) => `Console was read on ${host}` },
}

const SHARED: ReadonlySet<ActionName> = new Set([
  'resize',
  'migrate',
  'revertResize',
  'live-migration',
  'evacuate',
  'unshelve',
])

/** Whether several services each do a part of it, and each knows of its own steps alone. */
export function isShared(action: ActionName): boolean {
  return SHARED.has(action)
}
