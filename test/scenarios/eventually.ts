import { patience } from './patience.ts'

const POLL_MS = 20
const PATIENCE_MS = 30_000

/**
 * Waits until a look at the world gives what is wanted: anything but `undefined` and `false`. For what nobody
 * tells of. What a look throws counts as not yet, and is told when the patience is over.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const endMs = Date.now() + patience(PATIENCE_MS)
  let last: unknown
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      last = error
    }
    if (Date.now() > endMs) throw new Error(`waited in vain until ${what}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
