/**
 * What puts one map in the place of another in a merge patch, which leaves what it does not name: without this an instance would have
 * the extra specs of its old flavor, and the properties of its old image, as well. Lists are whole in such a patch.
 */
export function putInPlaceOf(held: object | undefined, value: object): Record<string, unknown> {
  const old = new Map<string, unknown>(Object.entries(held ?? {}))
  const entries: [string, unknown][] = Object.entries(value)
  const given = entries.filter(([, one]) => one !== undefined)
  return {
    ...Object.fromEntries([...old.keys()].map((name) => [name, null])),
    ...Object.fromEntries(given.map(([name, one]) => [name, isMap(one) ? put(old.get(name), one) : one])),
  }
}

function put(held: unknown, value: object): Record<string, unknown> {
  return putInPlaceOf(isMap(held) ? held : undefined, value)
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
