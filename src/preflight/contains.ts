/**
 * Whether `there` has everything that `wanted` has. What it has besides is the API server's own (defaults) or of a
 * later version. Lists are the same, one by one.
 */
export function contains(there: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(there) &&
      there.length === wanted.length &&
      wanted.every((one, index) => contains(there[index], one))
    )
  }
  if (typeof wanted !== 'object' || wanted === null) return there === wanted
  if (typeof there !== 'object' || there === null) return false
  const fields = new Map(Object.entries(there))
  return Object.entries(wanted).every(([name, value]) => contains(fields.get(name), value))
}
