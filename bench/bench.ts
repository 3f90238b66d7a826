import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, getPriority, totalmem } from 'node:os'
import { join } from 'node:path'
import { lookUp } from '../hack/setup/find.ts'
import { TOOLS } from '../hack/setup/tools.ts'
import { auditedRun } from './audited-run.ts'
import { build } from './build.ts'
import { docsOf } from './docs.ts'
import { type BenchOptions, readOptions, USAGE } from './options.ts'
import { QUIET_CORES, untilQuiet } from './quiet.ts'
import { reportOf } from './report.ts'
import { type Machine, othersCores, type Result, type SpeedRun } from './result.ts'
import { speedRun } from './speed-run.ts'
import { OwnWrites } from './writes.ts'

const CHECKOUT = join(import.meta.dirname, '..')
const RESULTS = join(CHECKOUT, '.kilonova/bench')
const DOCS = join(CHECKOUT, 'docs/benchmark.md')

const PATIENCE_MS = 300_000
/** With `quiet`: so many runs at most for each that is asked for. */
const TRIES = 3

const startedMs = performance.now()

function say(line: string): void {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}

function machine(): Machine {
  const parts = ['kube-apiserver', 'etcd', 'nats-server'] as const
  const versions = parts.map((name) => [name, lookUp(TOOLS[name], process.env).found?.version ?? 'missing'])
  return {
    cores: cpus().length,
    nice: getPriority(),
    memoryGb: Math.round(totalmem() / 1e9),
    versions: { ...Object.fromEntries(versions), node: process.version },
  }
}

/** As many as asked for; with `quiet`, the least disturbed of as many as it takes. */
async function speedRuns(deps: Parameters<typeof speedRun>[0], options: BenchOptions): Promise<SpeedRun[]> {
  const all: SpeedRun[] = []
  const quiet = (): number => all.filter((run) => othersCores(run) < QUIET_CORES).length
  const isEnough = (): boolean =>
    options.quiet ? quiet() >= options.runs || all.length >= TRIES * options.runs : all.length >= options.runs
  while (!isEnough()) {
    if (options.quiet) await untilQuiet(say, PATIENCE_MS)
    say(`run ${all.length + 1}`)
    const run = await speedRun(deps, options)
    say(`others took ${othersCores(run).toFixed(2)} cores meanwhile`)
    all.push(run)
  }
  return all.toSorted((a, b) => othersCores(a) - othersCores(b)).slice(0, options.runs)
}

async function bench(options: BenchOptions): Promise<void> {
  const { launches, concurrency, agents, single, quiet } = options
  say('building')
  build({ isFresh: options.build })
  const deps = { say, own: new OwnWrites() }
  const runs = await speedRuns(deps, options)
  const audited = await auditedRun(deps, options)
  const result: Result = {
    date: new Date().toISOString(),
    machine: machine(),
    options: { launches, concurrency, agents, single, quiet },
    runs,
    audited,
  }
  mkdirSync(RESULTS, { recursive: true })
  const file = join(RESULTS, `${result.date.replaceAll(/[:.]/g, '-')}.json`)
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`)
  console.log(`\n${reportOf(result)}\n\nsaved: ${file}`)
  if (!options.saveDocs) return
  writeFileSync(DOCS, docsOf(result))
  console.log(`written: ${DOCS}`)
}

// Whatever was started ends with us: test/real/parts/keeper.ts sees to it, however we end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
try {
  const options = readOptions(process.argv.slice(2))
  if (options) await bench(options)
  else console.log(USAGE)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
process.exit()
