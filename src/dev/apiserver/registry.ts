import { type ResourceType, apiVersionOf } from './resource.ts'

/** The kinds that are served now. */
export class Registry {
  readonly #byPath = new Map<string, ResourceType>()
  /** Rises with every change, so that what is made from the registry can be kept until then. */
  generation = 0

  register(type: ResourceType): void {
    this.#byPath.set(pathOf(type.group, type.version, type.plural), type)
    this.generation++
  }

  /** Stops serving every version of a kind. */
  unregister(group: string, plural: string): void {
    for (const [path, type] of this.#byPath) {
      if (type.group === group && type.plural === plural) this.#byPath.delete(path)
    }
    this.generation++
  }

  find(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#byPath.get(pathOf(group, version, plural))
  }

  /** Any version of a kind that is named by group and plural. */
  findCollection(key: string): ResourceType | undefined {
    return this.all().find((type) => `${type.group}/${type.plural}` === key)
  }

  all(): ResourceType[] {
    return [...this.#byPath.values()]
  }

  /** The kinds of one `v1` or `group/version`. */
  inGroupVersion(groupVersion: string): ResourceType[] {
    return this.all().filter((type) => apiVersionOf(type) === groupVersion)
  }

  /** The API groups with their versions, the preferred (stable, newest) version first. */
  groups(): Map<string, string[]> {
    const groups = new Map<string, string[]>()
    for (const { group, version } of this.all()) {
      const versions = groups.get(group) ?? []
      if (!versions.includes(version)) versions.push(version)
      groups.set(group, versions)
    }
    for (const versions of groups.values()) versions.sort(byPriority)
    return groups
  }
}

function pathOf(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`
}

/** v2 before v1 before v2beta1 before v1alpha1, as Kubernetes orders versions. */
function byPriority(a: string, b: string): number {
  const rank = (version: string): number => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
    if (!match) return -1
    const stability = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0
    return stability * 1e6 + Number(match[1]) * 1e3 + Number(match[3] ?? 0)
  }
  return rank(b) - rank(a)
}
