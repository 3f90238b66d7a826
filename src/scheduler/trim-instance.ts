import type { Instance } from '../apis/v1alpha1/instance.ts'

/**
 * Of an instance that nothing is being done to, what the scheduler reads: there may be hundreds of thousands. Who
 * needs the whole of one asks the API server.
 */
export function trimInstance(instance: Instance): Instance {
  const { apiVersion, kind, metadata, spec, status } = instance
  if (status.taskState !== undefined || status.vmState === 'building' || 'migration' in status)
    return instance
  const { name, namespace, uid, resourceVersion, deletionTimestamp, finalizers } = metadata
  const { vmState, host, flavor, triedHosts } = status
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(finalizers && { finalizers }),
    },
    spec: {
      flavor: spec.flavor,
      image: spec.image,
      powerState: spec.powerState,
      ...(spec.schedulerHints && { schedulerHints: spec.schedulerHints }),
    },
    status: {
      ...(vmState && { vmState }),
      ...(host !== undefined && { host }),
      ...(flavor && { flavor }),
      ...(triedHosts && { triedHosts }),
    },
  }
}
