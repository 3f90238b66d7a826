/**
 * Measures one size and kind in a process of its own, so that its memory is that alone:
 * node --expose-gc run.ts HOSTS KIND DECISIONS SCANS. Prints a {@link Run} as JSON.
 */
import { performance } from 'node:perf_hooks'
import { groupKey } from '../../src/scheduler/host-manager.ts'
import { selectDestination } from '../../src/scheduler/select-destination.ts'
import type { Run } from './result.ts'
import { type Kind, policyFor, World } from './world.ts'

const OPTIONS = { ignoreHosts: [], preferHosts: [], maxAlternates: 2 }
/** So that every kind of request has come before, as in a scheduler that has been at it for a minute. */
const WARM_UP = 1_000
const INSTANCES_EACH = 30

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function timed(work: () => void): number {
  const begun = performance.now()
  work()
  return performance.now() - begun
}

function run(hosts: number, kind: Kind, counts: { decisions: number; scans: number }): Run {
  const world = new World(kind)
  const { scheduler, hosts: manager, groups } = world.scheduler
  world.fill(hosts, INSTANCES_EACH)
  const times: number[] = []
  let slowestAtFirst = 0
  for (let n = 0; n < WARM_UP + counts.decisions; n++) {
    const request = world.request()
    const { uid, namespace } = request.instance
    const group = request.hints?.group
    let chosen: string | undefined
    const took = timed(() => {
      const { host } = scheduler.select(request, OPTIONS)
      chosen = host?.host
      if (!host) return
      const owner = { project: namespace, ...(group && { group: groupKey(namespace, group) }) }
      manager.claim(uid, host.host, request.flavor, owner)
    })
    if (n >= WARM_UP) times.push(took)
    else slowestAtFirst = Math.max(slowestAtFirst, took)
    if (chosen === undefined) continue
    // What the watch brings afterwards costs the next decisions, which take it in.
    world.bind(request, chosen)
    manager.settle(uid)
    world.deleteOne()
  }
  globalThis.gc?.()
  const rssMb = process.memoryUsage().rss / 1e6
  const snapshot = manager.snapshot()
  const scans: number[] = []
  for (let n = 0; n < counts.scans; n++) {
    const request = world.request()
    const name = request.hints?.group
    const membersOn = manager.membersOf(groupKey('default', name ?? ''), request.instance.uid)
    const group =
      name === undefined
        ? undefined
        : ({ name, policy: 'anti-affinity', maxServerPerHost: 1, membersOn } as const)
    scans.push(timed(() => void selectDestination(snapshot, request, policyFor(kind), { ...OPTIONS, group })))
  }
  return {
    hosts,
    kind,
    groups: groups.informer.store.size,
    decisionsPerSecond: (1000 * times.length) / times.reduce((a, b) => a + b, 0),
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    firstMs: slowestAtFirst,
    scanP50Ms: percentile(scans, 0.5),
    rssMb,
  }
}

const [, , hosts = '1000', kind = 'default', decisions = '5000', scans = '15'] = process.argv
const isKind = (text: string): text is Kind => ['default', 'groups', 'aggregates'].includes(text)
if (!isKind(kind)) throw new Error(`there is no kind '${kind}'`)
console.log(JSON.stringify(run(Number(hosts), kind, { decisions: Number(decisions), scans: Number(scans) })))
