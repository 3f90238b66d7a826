export function docsOf(r: unknown): string {
  return String(r)
}
