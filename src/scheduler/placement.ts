import type { Placement } from '../objects/action-progress.ts'
import type { HostState } from './host-state.ts'
import type { Shares, WeighedHost } from './weighers/weigh.ts'

/** The name of the step in the record of an operation. Nova's. */
export const SELECT_DESTINATIONS_STEP = 'scheduler_select_destinations'

/** A decision. Without a host, `placement.filters` says what took them all out. */
export interface Selection {
  readonly host?: HostState
  /** The next best, best first. */
  readonly alternates: readonly string[]
  readonly placement: Placement
}

/** How many hosts a filter took out, by the reason it gave. */
export interface Removed {
  readonly name: string
  readonly reasons: ReadonlyMap<string, number>
}

/** How many reasons of a filter, and how many weighed hosts, an explanation keeps. */
const MAX_REASONS = 5
export const MAX_WEIGHED = 5
const MAX_REASON_LENGTH = 480

/**
 * Tells of a decision: a filter is told of as long as there were hosts for it to look at.
 *
 * @param order the best hosts that pass, best first; as many as are needed
 */
export function toSelection(
  considered: number,
  filters: readonly Removed[],
  order: readonly WeighedHost[],
  maxAlternates: number,
): Selection {
  const told: Placement['filters'] = []
  let left = considered
  for (const { name, reasons } of filters) {
    if (left === 0) break
    const removed = sumOf(reasons)
    left -= removed
    told.push({ name, removed, reasons: topReasons(reasons) })
  }
  const [best, ...others] = order
  return {
    ...(best && { host: best.host }),
    alternates: others.slice(0, maxAlternates).map((one) => one.host.host),
    placement: {
      host: best?.host.host ?? '',
      considered,
      filters: told,
      weighed: order.slice(0, MAX_WEIGHED).map(({ host, weight, shares }) => ({
        host: host.host,
        weight: rounded(weight),
        weighers: roundedShares(shares()),
      })),
    },
  }
}

function rounded(weight: number): number {
  return Math.round(weight * 1000) / 1000
}

function roundedShares(shares: Shares): Record<string, number> {
  const told = Object.entries(shares).map(([weigher, share]) => [weigher, rounded(share)] as const)
  return Object.fromEntries(told.filter(([, share]) => share !== 0))
}

/** The most frequent first; of equals the first of the alphabet. There may be many: they are not all sorted. */
function topReasons(reasons: ReadonlyMap<string, number>): string[] {
  const top: (readonly [string, number])[] = []
  for (const one of reasons) {
    if (one[1] <= 0) continue
    const last = top[MAX_REASONS - 1]
    if (last && !isMoreFrequent(one, last)) continue
    const at = top.findIndex((other) => isMoreFrequent(one, other))
    top.splice(at === -1 ? top.length : at, 0, one)
    if (top.length > MAX_REASONS) top.pop()
  }
  return top.map(([reason, count]) => `${count} ${reason}`.slice(0, MAX_REASON_LENGTH))
}

function isMoreFrequent(a: readonly [string, number], b: readonly [string, number]): boolean {
  return a[1] !== b[1] ? a[1] > b[1] : a[0] < b[0]
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const count of counts.values()) sum += count
  return sum
}

/** Hosts that were chosen before go first, in their order, where they still pass. */
export function preferring(
  weighed: readonly WeighedHost[],
  preferHosts: readonly string[],
): readonly WeighedHost[] {
  if (preferHosts.length === 0) return weighed
  const preferred = preferHosts.flatMap((name) => weighed.filter((one) => one.host.host === name))
  return [...preferred, ...weighed.filter((one) => !preferred.includes(one))]
}

/** Why no host was valid, in one sentence with the numbers. */
export function explainNoValidHost(placement: Placement): string {
  if (placement.considered === 0) return 'There are no compute nodes.'
  return `Of ${placement.considered} hosts, ${takenOut(placement).join('; ')}.`
}

/** As much as an Event takes, with what stands around it. */
const MAX_SENTENCE = 900

/** Why this host, in one sentence: what each filter took out, and the weights of the best. */
export function explainChoice(placement: Placement): string {
  const { host, considered, weighed } = placement
  const weights = weighed.map((one) => `${one.host} ${one.weight}`).join(', ')
  const parts = [
    `${host}, the best of ${passedOf(placement)} that passed, of ${considered} considered`,
    ...takenOut(placement),
    ...(weighed.length > 1 ? [`weights: ${weights}`] : []),
  ]
  const sentence = parts.join('; ')
  return sentence.length <= MAX_SENTENCE ? sentence : `${sentence.slice(0, MAX_SENTENCE - 1)}…`
}

function takenOut({ filters }: Placement): readonly string[] {
  return filters
    .filter(({ removed }) => removed > 0)
    .map(({ name, removed, reasons }) => `${name} took out ${removed} (${reasons.join(' | ')})`)
}

/** How many hosts passed every filter. */
export function passedOf(placement: Placement): number {
  return placement.considered - placement.filters.reduce((sum, filter) => sum + filter.removed, 0)
}
