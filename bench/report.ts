import type { Phase, Result, SpeedRun } from './result.ts'
import { SERVICES } from './services.ts'
import { type Counts, filterCounts, median, type Percentiles, sum, total } from './statistics.ts'
import { number, type Table, tableText } from './table.ts'
import { isEvent } from './writes.ts'

/** All of the result, to be read at a terminal. */
export function reportOf(result: Result): string {
  return tablesOf(result)
    .map((table) => `${table.title}\n\n${tableText(table)}`)
    .join('\n\n')
}

export function tablesOf(result: Result): readonly Table[] {
  return [summary(result), processes(result), writes(result)]
}

/** Written for the host, at most once a minute, and for no instance. */
export function isHostReport(name: string): boolean {
  return name.includes(' computenodes')
}

/** Of our writes in a phase, those that are for its instances and no Events. */
export function plainWrites({ ourWrites }: Phase): Counts {
  return filterCounts(ourWrites, (name) => !isEvent(name) && !isHostReport(name))
}

function events({ ourWrites }: Phase): Counts {
  return filterCounts(ourWrites, isEvent)
}

/** CPU seconds of our processes for one instance of a phase. */
function ourCpu({ cpu, count }: Phase): number {
  return sum(SERVICES.map((name) => cpu[name] ?? 0)) / count
}

function allCpu({ cpu, count }: Phase): number {
  return total(cpu) / count
}

/** Bare writes a second: creates and patches alike. */
function bareWrites({ yardsticks }: SpeedRun): number {
  return sum(yardsticks.map(({ creates, patches }) => (creates + patches) / 2)) / yardsticks.length
}

function ourShare(run: SpeedRun, { perSecond, ourWrites, count }: Phase): number {
  return (perSecond * total(ourWrites)) / count / bareWrites(run)
}

function allShare(run: SpeedRun, { perSecond, ourWrites, standInWrites, userWrites, count }: Phase): number {
  const all = total(ourWrites) + total(standInWrites) + total(userWrites)
  return (perSecond * all) / count / bareWrites(run)
}

function summary({ runs, options }: Result): Table {
  const each = (valueOf: (run: SpeedRun) => number, digits = 0): string => spread(runs.map(valueOf), digits)
  const percentiles = (of: (run: SpeedRun) => Percentiles): string =>
    (['p50', 'p95', 'p99'] as const)
      .map((name) => number(median(runs.map((run) => of(run)[name]))))
      .join(' / ')
  const { launches, concurrency } = options
  const ofPhase = (valueOf: (phase: Phase) => number, digits: number): [string, string] => [
    each((run) => valueOf(run.launches), digits),
    each((run) => valueOf(run.stops), digits),
  ]
  const share = (of: typeof ourShare): [string, string] => [
    each((run) => of(run, run.launches), 2),
    each((run) => of(run, run.stops), 2),
  ]
  return {
    title: runs.length > 1 ? `Medians of ${runs.length} runs (least to most)` : 'One run',
    head: ['', 'launch', 'shut-off', 'aimed at'],
    rows: [
      [
        'one at a time, ms: p50 / p95 / p99',
        percentiles((run) => run.singleLaunch),
        percentiles((run) => run.singleStop),
        'p50 under 100; 60',
      ],
      [
        `${launches}, ${concurrency} at a time: a second`,
        ...ofPhase((phase) => phase.perSecond, 1),
        '25 or more',
      ],
      [
        `${launches}, ${concurrency} at a time, ms: p50 / p95 / p99`,
        percentiles((run) => run.launches.latency),
        percentiles((run) => run.stops.latency),
        '',
      ],
      [
        'our writes for each',
        ...ofPhase((phase) => total(plainWrites(phase)) / phase.count, 2),
        'at most 8; 5',
      ],
      ['Events for each', ...ofPhase((phase) => total(events(phase)) / phase.count, 2), 'at most 3'],
      ['CPU seconds for each, our services', ...ofPhase(ourCpu, 3), 'at most 0.08'],
      ['CPU seconds for each, everything', ...ofPhase(allCpu, 3), ''],
      ['our writes a second, as a share of bare writes', ...share(ourShare), ''],
      ['all writes a second, as a share of bare writes', ...share(allShare), ''],
      [
        'bare writes a second: creates; status patches',
        each((run) => sum(run.yardsticks.map((one) => one.creates)) / run.yardsticks.length),
        each((run) => sum(run.yardsticks.map((one) => one.patches)) / run.yardsticks.length),
        '',
      ],
    ],
  }
}

const TITLES: Readonly<Record<string, string>> = {
  api: 'nova-api',
  scheduler: 'nova-scheduler',
  conductor: 'nova-conductor',
  'compute-one': 'nova-compute, one agent',
  user: 'load generator',
  'stand-in': 'stand-in for KubeVirt',
}

function processes({ runs, options }: Result): Table {
  const perThousand = (name: string, of: (run: SpeedRun) => Phase): string =>
    number(median(runs.map((run) => (1000 * (of(run).cpu[name] ?? 0)) / of(run).count)), 1)
  const memory = (
    names: readonly string[],
    of: (run: SpeedRun) => SpeedRun['memoryIdle'],
    which: 'rss' | 'pss',
  ): string => number(median(runs.map((run) => sum(names.map((name) => of(run)[name]?.[which] ?? 0)))))
  const row = (name: string, title: string, isOurs: boolean): string[] => [
    title,
    perThousand(name, (run) => run.launches),
    perThousand(name, (run) => run.stops),
    ...(isOurs ? memories([name]) : ['', '', '']),
  ]
  const memories = (names: readonly string[]): string[] => [
    memory(names, (run) => run.memoryIdle, 'rss'),
    memory(names, (run) => run.memoryLoaded, 'rss'),
    memory(names, (run) => run.memoryLoaded, 'pss'),
  ]
  const others = ['kube-apiserver', 'etcd', 'nats-server', 'stand-in', 'user']
  const titleOf = (name: string): string =>
    name === 'compute-many' ? `nova-compute, ${options.agents} agents` : (TITLES[name] ?? name)
  const ours = (of: (run: SpeedRun) => Phase): string =>
    number(median(runs.map((run) => 1000 * ourCpu(of(run)))), 1)
  return {
    title: 'By process: CPU milliseconds for each instance, and memory in MB',
    head: ['', 'launch', 'shut-off', 'RSS at start', 'RSS after all', 'of it its own (PSS)'],
    rows: [
      ...SERVICES.map((name) => row(name, titleOf(name), true)),
      ['ours together', ours((run) => run.launches), ours((run) => run.stops), ...memories(SERVICES)],
      ...others.map((name) => row(name, titleOf(name), false)),
    ],
  }
}

function writes({ runs }: Result): Table {
  const names = new Set(
    runs.flatMap((run) => [...Object.keys(run.launches.ourWrites), ...Object.keys(run.stops.ourWrites)]),
  )
  const perInstance = (name: string, of: (run: SpeedRun) => Phase): string =>
    number(median(runs.map((run) => (of(run).ourWrites[name] ?? 0) / of(run).count)), 3)
  return {
    title: "Our services' writes for each instance at full speed, by the API server's own count",
    head: ['write', 'launch', 'shut-off'],
    rows: [...names]
      .toSorted()
      .map((name) => [name, perInstance(name, (run) => run.launches), perInstance(name, (run) => run.stops)]),
  }
}

function spread(values: readonly number[], digits: number): string {
  const middle = number(median(values), digits)
  if (values.length === 1) return middle
  const ends = [Math.min(...values), Math.max(...values)].map((value) => number(value, digits))
  return ends[0] === ends[1] ? middle : `${middle} (${ends.join(' to ')})`
}
