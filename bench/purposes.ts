/** What each write of a launch is for, by who makes it. */
export const LAUNCH_PURPOSES: Readonly<Record<string, string>> = {
  'nova-api PATCH instances': 'puts our finalizer on the instance, before any outside effect',
  'nova-api POST instanceactions': 'the record that a create was asked for, with its request id',
  'nova-scheduler PATCH instances/status':
    'binds the instance, which is spawning from here on: host, attempt, alternates, flavor, request id; a conditional write, so the claim is made once',
  'nova-scheduler POST events': 'Scheduled: which host, of how many',
  'nova-conductor PATCH instances/status': 'active, with power state, addresses and launch time',
  'nova-conductor PATCH instanceactions/status':
    'the end of the record: result, steps and the placement explained',
  'nova-conductor POST events': 'Launched: on which host',
  'nova-compute POST virtualmachines': "KubeVirt's VirtualMachine, pinned to the node",
  'nova-compute PATCH virtualmachines/status': 'the request to start it, as virt-api writes it',
}

/** The same for a shut-off. */
export const STOP_PURPOSES: Readonly<Record<string, string>> = {
  'nova-api PATCH instances/status': 'powering-off and the request id: the operation is accepted',
  'nova-api POST instanceactions': 'the record that a stop was asked for, with its request id',
  'nova-compute PATCH virtualmachines/status': 'the request to stop the guest, as virt-api writes it',
  'nova-conductor PATCH instances/status': 'stopped, with power state SHUTDOWN and no task',
  'nova-conductor PATCH instanceactions/status': 'the end of the record: result and steps',
  'nova-conductor POST events': 'Stopped: on which host',
}

/** What may come now and then in either. */
const SOMETIMES: Readonly<Record<string, string>> = {
  'nova-conductor PATCH computenodes/status':
    "a host's inventory and usage, where they changed within the last minute",
}

export function purposeOf(purposes: Readonly<Record<string, string>>, what: string): string {
  if (what.endsWith(' 409')) return 'refused, as somebody had written first; tried again on what is there now'
  return purposes[what] ?? SOMETIMES[what] ?? 'not explained yet'
}
