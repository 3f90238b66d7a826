export function reportOf(r: unknown): string {
  return JSON.stringify(r, undefined, 1)
}
