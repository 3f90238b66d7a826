import type { Run } from './result.ts'

const KIND: Readonly<Record<Run['kind'], string>> = {
  default: 'default filters',
  groups: 'anti-affinity groups',
  aggregates: 'aggregates, zones',
}

/** docs/benchmark-scheduler.md. */
export function docsOf(
  runs: readonly Run[],
  about: {
    readonly cores: number
    readonly node: string
    readonly decisions: number
    readonly runs: number
  },
): string {
  const rows = runs.map(
    (run) =>
      `| ${run.hosts.toLocaleString('en')} | ${KIND[run.kind]} | ${rounded(run.decisionsPerSecond)} | ${run.p50Ms.toFixed(2)} | ${run.p99Ms.toFixed(2)} | ${Math.round(run.firstMs)} | ${run.scanP50Ms.toFixed(1)} | ${Math.round(run.scanP50Ms / run.p50Ms)} | ${Math.round(run.rssMb)} |`,
  )
  return `# How fast the scheduler decides

Made by \`npm run bench:scheduler -- --docs\`: ${about.decisions.toLocaleString('en')} decisions a row on one of ${about.cores} cores, Node.js ${about.node}, the least disturbed of ${about.runs} runs. Every host has 30
instances of the five classic flavors; each decision books its instance, and another one, any, is deleted, so that the cluster stays as
full as it is and hosts change all the time. With groups, every instance asked for is a member of one of 1,000 anti-affinity groups of
ten and more. With aggregates, five of them give tiers, zones, ratios and a multiplier, and every request asks for a tier and a zone:
thirty kinds of requests in place of five. "Scan" is the same decision by looking at every host, in the same run;
"first" the slowest of the thousand decisions before, in which each kind of request comes for the first and the second time.

| hosts | | decisions/s | p50 ms | p99 ms | first ms | scan p50 ms | scan / p50 | process MB |
| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}

Memory is that of the whole process after the decisions, and before the scans, with all hosts and instances held as the scheduler holds them.

${curve(runs)}
`
}

function rounded(perSecond: number): string {
  return (Math.round(perSecond / 100) * 100).toLocaleString('en')
}

/** How the cost grows with the hosts. */
function curve(runs: readonly Run[]): string {
  const plain = runs.filter(({ kind }) => kind === 'default')
  const [first, last] = [plain[0], plain.at(-1)]
  if (!first || !last || first === last) return ''
  const times = (a: number, b: number): string => (b / a).toFixed(1)
  return (
    `From ${first.hosts.toLocaleString('en')} to ${last.hosts.toLocaleString('en')} hosts, ${times(first.hosts, last.hosts)} times as many, ` +
    `a decision costs ${times(first.p50Ms, last.p50Ms)} times as much (p50), a scan ${times(first.scanP50Ms, last.scanP50Ms)} times.`
  )
}
