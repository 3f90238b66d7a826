import { parseArgs } from 'node:util'

export interface BenchOptions {
  /** Instances launched, and then shut off, at full speed. */
  readonly launches: number
  readonly concurrency: number
  /** Agents that share one process; one more has a process of its own. */
  readonly agents: number
  /** Instances launched, and then shut off, one at a time. */
  readonly single: number
  /** Instances of the smaller run that tells whose writes they are. */
  readonly audited: number
  /** How often everything is measured; medians are shown. */
  readonly runs: number
  /** Wait for a quiet machine, and take the least disturbed of up to three times as many runs. */
  readonly quiet: boolean
  readonly build: boolean
  readonly saveDocs: boolean
  /** A folder for CPU profiles of our services. */
  readonly profile: string | undefined
  /** Our services' logs stay in this folder. */
  readonly logs: string | undefined
}

export const USAGE = `usage: npm run bench -- [options]

Measures launches and shut-offs on a real kube-apiserver, etcd and nats-server (npm run setup).

  --launches N      launched and shut off at full speed (500)
  --concurrency N   so many at a time (32)
  --agents N        compute agents that share a process; one more has its own (20)
  --single N        launched and shut off one at a time (50)
  --audited N       launched and shut off with audit logging, to tell whose writes they are (40)
  --runs N          measure so often and show medians (1)
  --quiet           wait until others leave the machine alone, and take the least disturbed runs
  --no-build        take dist/ as it is
  --save-docs       write docs/benchmark.md
  --profile DIR     CPU profiles of our services go there; the figures are then not to be quoted
  --logs DIR        our services' logs go there and stay`

/** Undefined when help was asked for. Throws what is wrong with the arguments. */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const number = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...argv],
    allowNegative: true,
    options: {
      launches: number,
      concurrency: number,
      agents: number,
      single: number,
      audited: number,
      runs: number,
      quiet: { type: 'boolean', default: false },
      build: { type: 'boolean', default: true },
      'save-docs': { type: 'boolean', default: false },
      profile: { type: 'string' },
      logs: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    launches: count('launches', values.launches, 500),
    concurrency: count('concurrency', values.concurrency, 32),
    agents: count('agents', values.agents, 20),
    single: count('single', values.single, 50),
    audited: count('audited', values.audited, 40),
    runs: count('runs', values.runs, 1),
    quiet: values.quiet,
    build: values.build,
    saveDocs: values['save-docs'],
    profile: values.profile,
    logs: values.logs,
  }
}

function count(name: string, given: string | undefined, fallback: number): number {
  if (given === undefined) return fallback
  if (!/^[1-9]\d{0,5}$/.test(given)) throw new Error(`--${name} takes a whole number from 1, not '${given}'`)
  return Number(given)
}
