import type { Instance } from '../apis/v1alpha1/instance.ts'

/**
 * Counts the builds that failed on each host since the last that did not, from what instances show. Nova's compute
 * nodes count their own (failed_builds); as there, a restart forgets them.
 */
export class FailedBuilds {
  readonly #counts = new Map<string, number>()

  on(host: string): number {
    return this.#counts.get(host) ?? 0
  }

  /** Takes in a change of an instance. Returns the hosts whose count it changed. */
  follow(instance: Instance, old: Instance | undefined): readonly string[] {
    if (!old || old.metadata.uid !== instance.metadata.uid) return []
    const { vmState, host, triedHosts = [] } = instance.status
    const failed = triedHosts.slice(old.status.triedHosts?.length ?? 0)
    for (const one of failed) this.#counts.set(one, this.on(one) + 1)
    const isBuilt = old.status.vmState === 'building' && vmState === 'active' && host !== undefined
    if (!isBuilt || !this.#counts.delete(host)) return failed
    return [...failed, host]
  }
}
