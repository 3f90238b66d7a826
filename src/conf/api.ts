import { SERVICE_OPTIONS } from './common.ts'
import { TASK_STATES, type TaskState } from '../apis/v1alpha1/states.ts'
import { count, flag, type Option, seconds, text, UsageError, type Values } from './options.ts'

/** Nova's shelved_offload_time: seconds, of which -1 stands for ever. */
function offloadTime(help: string, fallback: number): Option<number> {
  const time = seconds(help, fallback)
  return { ...time, parse: (given) => (given === '-1' ? Number.POSITIVE_INFINITY : time.parse(given)) }
}

/** `spawning=3600,deleting=60`: what is not named keeps its default. */
function taskTimeouts(help: string): Option<Readonly<Partial<Record<TaskState, number>>>> {
  const time = seconds(help, 0)
  return {
    help,
    value: 'TASK=SECONDS,…',
    fallback: {},
    parse: (given) =>
      Object.fromEntries(
        given.split(',').map((pair) => {
          const [name = '', number = ''] = pair.split('=')
          const task = TASK_STATES.find((one) => one === name)
          if (!task)
            throw new UsageError(`there is no task_state '${name}'; there are ${TASK_STATES.join(', ')}`)
          return [task, time.parse(number)]
        }),
      ),
  }
}

/** What the API service itself is told. */
export const API_SETTINGS = {
  apiConcurrency: count('instances that are worked on at once', 32),
  redriveAfter: seconds('after how long without progress a message is sent again', 30),
  taskTimeouts: taskTimeouts(
    'how long a task may make no progress before its operation fails, such as spawning=3600; docs/state-machine.md has the defaults',
  ),
  resizeConfirmWindow: seconds('after how long a resize is confirmed by itself; 0 waits for ever', 0),
  reclaimInstanceInterval: seconds('how long a soft-deleted instance can be restored; 0 waits for ever', 0),
  shelvedOffloadTime: offloadTime(
    'how long a shelved instance keeps its host; 0 frees the host at once, -1 only when it is asked for',
    0,
  ),
  keepFinishedActions: seconds('how long the record of a finished operation is kept', 7 * 24 * 3600),
  trustRequester: flag(
    'take who asked from the annotation compute.kilonova.dev/requested-by: only where a policy stamps it',
  ),
  leaseDuration: seconds('how long the other replicas wait for a leader that fell silent', 15),
  leaseNamespace: text('namespace of the leader election lease', 'default'),
}

export const API_OPTIONS = { ...SERVICE_OPTIONS, ...API_SETTINGS }
export type ApiSettings = Values<typeof API_SETTINGS>
