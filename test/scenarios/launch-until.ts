import type { Instance, InstanceSpec } from '../../src/apis/v1alpha1/instance.ts'
import { eventually } from './eventually.ts'
import type { Project } from './instances.ts'

/** Launches until that ends as it is to: what was changed just before reaches the services a moment later. */
// oxlint-disable-next-line max-params -- what is launched where, and how that is to end
export async function launchUntil(
  project: Project,
  name: string,
  spec: Partial<InstanceSpec>,
  isWanted: (instance: Instance) => boolean,
): Promise<Instance> {
  return eventually(`${name} was launched as it should be`, async () => {
    await project.create(name, spec)
    const made = await project.until(name, ({ status }) => status.taskState === undefined)
    if (isWanted(made)) return made
    await project.delete(name)
    await project.untilGone(name)
    return undefined
  })
}
