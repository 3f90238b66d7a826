/** Measures one size in a process of its own, so that memory is that size's: node --expose-gc run.ts HOSTS */
import { performance } from 'node:perf_hooks'
import { selectDestination } from '../../src/scheduler/select-destination.ts'
import { DEFAULT_POLICY } from '../../src/testing/scheduler-world.ts'
import { World } from './world.ts'

const OPTIONS = { ignoreHosts: [], preferHosts: [], maxAlternates: 2 }
const WARM_UP = 300

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function run(hosts: number, decisions: number, scans: number): void {
  const world = new World()
  const { scheduler, hosts: manager } = world.scheduler
  world.fill(hosts, 30)
  const times: number[] = []
  for (let n = 0; n < WARM_UP + decisions; n++) {
    const request = world.request(world.flavor())
    const { uid } = request.instance
    const begun = performance.now()
    const { host } = scheduler.select(request, OPTIONS)
    if (host) manager.claim(uid, host.host, request.flavor)
    const took = performance.now() - begun
    if (n >= WARM_UP) times.push(took)
    if (!host) continue
    world.bind(uid, host.host, request.flavor)
    manager.settle(uid)
    world.deleteOne()
  }
  const snapshot = manager.snapshot()
  const scanTimes: number[] = []
  for (let n = 0; n < scans; n++) {
    const request = world.request(world.flavor())
    const begun = performance.now()
    selectDestination(snapshot, request, DEFAULT_POLICY, OPTIONS)
    scanTimes.push(performance.now() - begun)
  }
  globalThis.gc?.()
  const memory = process.memoryUsage()
  const sum = times.reduce((a, b) => a + b, 0)
  const sorted = times.toSorted((a, b) => a - b)
  const scanSorted = scanTimes.toSorted((a, b) => a - b)
  console.log(
    JSON.stringify({
      hosts,
      perSecond: Math.round((1000 * times.length) / sum),
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      max: sorted.at(-1),
      scanP50: percentile(scanSorted, 0.5),
      heapMb: Math.round(memory.heapUsed / 1e6),
      rssMb: Math.round(memory.rss / 1e6),
    }),
  )
}

run(Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 5000), 20)
