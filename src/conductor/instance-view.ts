import type { Instance } from '../apis/v1alpha1/instance.ts'
import { refOfInstance, sizeOf } from '../objects/build-request.ts'
import { type InstanceView, migrationView } from './rpcapi.ts'

/** What a compute agent sees of an instance. */
export function toView(instance: Instance): InstanceView {
  const { status, metadata, spec } = instance
  const group = spec.schedulerHints?.group
  return {
    ref: refOfInstance(instance),
    vmState: status.vmState ?? 'building',
    taskState: status.taskState,
    powerState: status.powerState,
    host: status.host,
    attempt: status.attempt,
    requestId: status.requestId,
    flavor: status.flavor && sizeOf(status.flavor),
    shutdownTimeoutSeconds: status.shutdownTimeoutSeconds,
    triedHosts: status.triedHosts && [...status.triedHosts],
    launchedAt: status.launchedAt,
    addresses: status.addresses && [...status.addresses],
    action: status.action,
    migration: status.migration && migrationView.parse(status.migration),
    group: group === undefined ? undefined : `${metadata.namespace ?? 'default'}/${group}`,
    deleting: metadata.deletionTimestamp !== undefined,
  }
}
