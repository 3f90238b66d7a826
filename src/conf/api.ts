import { SERVICE_OPTIONS } from './common.ts'
import { count, flag, seconds, text, type Values } from './options.ts'

/** What the API service itself is told. */
export const API_SETTINGS = {
  apiConcurrency: count('instances that are worked on at once', 32),
  redriveAfter: seconds('after how long without progress a message is sent again', 30),
  schedulingTimeout: seconds('how long an instance may wait for a host', 300),
  spawningTimeout: seconds('how long a build on one host may take', 1800),
  powerOffTimeout: seconds('how long a stop may take, beyond the time the image gives its guest', 300),
  powerOnTimeout: seconds('how long a start may take', 600),
  deleteTimeout: seconds('after how long a delete that makes no progress is shown as a fault', 600),
  keepFinishedActions: seconds('how long the record of a finished operation is kept', 7 * 24 * 3600),
  trustRequester: flag(
    'take who asked from the annotation compute.kilonova.dev/requested-by: only where a policy stamps it',
  ),
  leaseDuration: seconds('how long the other replicas wait for a leader that fell silent', 15),
  leaseNamespace: text('namespace of the leader election lease', 'default'),
}

export const API_OPTIONS = { ...SERVICE_OPTIONS, ...API_SETTINGS }
export type ApiSettings = Values<typeof API_SETTINGS>
