import type { RequestContext } from '../../common/context.ts'
import type { Delivery } from '../../rpc/server.ts'

/** A worker of WORK that remembers what it got and, until told otherwise, holds on to it. */
export function holding() {
  const seen: { n: number; delivery: Delivery }[] = []
  const gate = Promise.withResolvers<void>()
  const state = { running: 0, most: 0 }
  const handler = async (_ctx: RequestContext, { n }: { n: number }, delivery: Delivery) => {
    seen.push({ n, delivery })
    state.running += 1
    state.most = Math.max(state.most, state.running)
    await gate.promise
    state.running -= 1
  }
  return { seen, state, handler, release: () => gate.resolve() }
}

/** A worker of WORK that remembers what it got. */
export function noting() {
  const worker = holding()
  worker.release()
  return worker
}

/** The casts of one worker may run side by side, so their order says nothing. */
export function sorted(seen: readonly { readonly n: number }[]): number[] {
  return seen.map(({ n }) => n).toSorted((a, b) => a - b)
}
