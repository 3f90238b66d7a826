import type { Instance, InstanceSpec } from '../apis/v1alpha1/instance.ts'

/**
 * What of an instance's spec has to change with the operation in flight, so that it does not ask for the contrary: a hard reboot
 * makes it run, a revert gives it its flavor back, a rebuild another image. `undefined` when nothing has to.
 */
export function specToFollow({ spec, status }: Instance): Partial<InstanceSpec> | undefined {
  const { taskState, migration, image } = status
  const { oldFlavor } = migration ?? {}
  const change: Partial<InstanceSpec> = {
    ...(taskState === 'rebooting_hard' &&
      spec.powerState !== 'Running' && { powerState: 'Running' as const }),
    ...(taskState === 'resize_reverting' &&
      oldFlavor !== undefined &&
      spec.flavor !== oldFlavor.name && { flavor: oldFlavor.name }),
    ...(image !== undefined && spec.image !== image && { image }),
  }
  return Object.keys(change).length > 0 ? change : undefined
}
