/**
 * `npm run bench:scheduler`: how fast the scheduler decides, beside looking at every host, at several sizes. `--docs`
 * writes docs/benchmark-scheduler.md. Other work on the machine shows in the slowest decisions first, so of several runs the
 * least disturbed is shown.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Run, run } from './result.ts'
import { docsOf } from './table.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
/** The services run with it, too: see src/main.ts. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=4', '--max-old-space-size=8000']

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,10000,50000' },
    decisions: { type: 'string', default: '10000' },
    scans: { type: 'string', default: '20' },
    kinds: { type: 'string', default: 'default,groups,aggregates' },
    runs: { type: 'string', default: '3' },
    docs: { type: 'boolean', default: false },
  },
})

function measure(hosts: string, kind: string): Run {
  const args = [...FLAGS, join(import.meta.dirname, 'run.ts'), hosts, kind, values.decisions, values.scans]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the run of ${hosts} ${kind} failed: ${stderr}`)
  return run.parse(JSON.parse(stdout))
}

const runs: Run[] = []
for (const hosts of values.sizes.split(',')) {
  for (const kind of values.kinds.split(',')) {
    const tries = Array.from({ length: Number(values.runs) }, () => measure(hosts, kind))
    const one = tries.reduce((best, next) =>
      next.decisionsPerSecond > best.decisionsPerSecond ? next : best,
    )
    runs.push(one)
    console.log(
      `${hosts} hosts, ${kind}: ${Math.round(one.decisionsPerSecond)} decisions/s, ` +
        `p50 ${one.p50Ms.toFixed(3)} ms, p99 ${one.p99Ms.toFixed(3)} ms, scan ${one.scanP50Ms.toFixed(1)} ms, ` +
        `${Math.round(one.rssMb)} MB`,
    )
  }
}
const page = docsOf(runs, {
  cores: cpus().length,
  node: process.version,
  decisions: Number(values.decisions),
  runs: Number(values.runs),
})
if (values.docs) writeFileSync(join(CHECKOUT, 'docs/benchmark-scheduler.md'), page)
else console.log(`\n${page}`)
