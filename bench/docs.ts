import type { Doings } from './audit.ts'
import { LAUNCH_PURPOSES, purposeOf, STOP_PURPOSES } from './purposes.ts'
import { isHostReport, tablesOf } from './report.ts'
import { othersCores, type Result } from './result.ts'
import { type Counts, filterCounts, sum, total } from './statistics.ts'
import { number, type Table, tableText } from './table.ts'
import { isEvent } from './writes.ts'

/** The page docs/benchmark.md: generated, so that every figure in it was measured. */
export function docsOf(result: Result): string {
  const { machine, options, runs, audited } = result
  const versions = Object.entries(machine.versions).map(
    ([name, version]) => `${name} ${version.replace(/^v/, '')}`,
  )
  const others = runs.map((run) => number(othersCores(run), 2)).join(', ')
  return `# Benchmark

Written by \`npm run bench -- --save-docs\`; do not edit. Measured on ${result.date.slice(0, 10)}.

## What was run

One machine with ${machine.cores} cores and ${machine.memoryGb} GB of memory, for everything: ${versions.join(', ')}; etcd syncs every write to
disk. Other work on the machine took ${others} of its cores during what is shown here, which makes the figures
worse.${options.quiet ? ' Of several tries, those are shown in which others took least.' : ''}${machine.nice < 0 ? ` All of the benchmark ran with a nice value of ${machine.nice}, before others.` : ''}

Kilonova runs from its built JavaScript: nova-api, nova-scheduler and nova-conductor are a process each, ${options.agents} compute agents
share a process, with connections of their own each, and one more agent has a process of its own. Logging is at its default. Each is an administrator of the API server, without
the chart's policies, and the broker asks nobody who he is. KubeVirt is replaced by a stand-in in a process that is
not counted as ours; its guests boot and shut down in no time, so what is measured is all Kilonova and the API server.

A run is: bare writes, without Kilonova; a warm-up; ${options.single} launches and then ${options.single} shut-offs one at a time; ${options.launches} launches, ${options.concurrency} at a
time, and then ${options.launches} shut-offs of the same; bare writes again. A launch is timed from sending the create until the watch of the client
says \`active\`, a shut-off from sending the patch until it says \`stopped\`. Each run has an empty API server to begin with.

${tablesOf(result).map(section).join('\n\n')}

- Bare writes are creates, and status merge patches, of instances with nobody watching, ${options.concurrency} at a time, through the client that our
  services use. They share the cores with their client alone; a launch shares them with everything above.
- CPU seconds are the kernel's count for the whole process, with what it does in the background, until a second or two after the last
  instance. "Everything" is our services, the API server, etcd, nats-server, the stand-in and the load generator.
- Memory: every Node.js process maps the same program file, which RSS counts in each; PSS shares it out. The one agent holds
  its part of the instances, ${number((options.launches + options.single) / (options.agents + 1))} or so.
- ${hostReports(result)}

## What each write is for

From a run of ${audited.count} launches and ${audited.count} shut-offs with audit logging, 8 at a time, each service with a user of its own.

### A launch

${writesTable(audited.launches, audited.count, LAUNCH_PURPOSES)}

### A shut-off

${writesTable(audited.stops, audited.count, STOP_PURPOSES)}

### Reads

${readsTable(result)}

## Idle

In ${audited.idleSeconds} s with nothing to do, ${options.agents + 1} agents and the three services sent the API server: ${idle(audited.idle)}. The leases are
those of the two leaders, renewed every two seconds.
Agents tell the scheduler by message that they are alive, which costs the API server nothing; each looks at its Node once a minute.

## Run it

    npm run setup                      # kube-apiserver, etcd and nats-server, once
    npm run bench                      # about four minutes
    npm run bench -- --quiet --runs 5 --save-docs
    npm run bench -- --help

It needs Linux (it reads /proc), some 3 GB of memory, and a machine with nothing else to do. All it starts listens on
free ports of the loopback interface and keeps its files in temporary folders, which are removed at the end.
`
}

function section(table: Table): string {
  return `## ${table.title}\n\n${tableText(table)}`
}

function hostReports({ runs }: Result): string {
  const counts = runs.flatMap(({ launches, stops }) =>
    [launches, stops].map(({ ourWrites }) => total(filterCounts(ourWrites, isHostReport))),
  )
  return `Left out of "our writes for each": reports of hosts (\`computenodes\`), which are written when a host's usage changed, at most once a
  minute each: ${counts.join(', ')} of them in the ${counts.length} phases at full speed.`
}

const OURS = ['nova-api', 'nova-scheduler', 'nova-compute', 'nova-conductor']

function writesTable({ writes }: Doings, count: number, purposes: Readonly<Record<string, string>>): string {
  const rows = OURS.flatMap((service) =>
    Object.entries(writes[service] ?? {}).map(([name, times]) => [
      service,
      `\`${name}\``,
      number(times / count, 2),
      purposeOf(purposes, `${service} ${name}`),
    ]),
  )
  const ofOurs = (isWanted: (name: string) => boolean): number =>
    sum(OURS.map((service) => total(filterCounts(writes[service] ?? {}, isWanted)))) / count
  const all = ofOurs((name) => !isEvent(name) && !isHostReport(name))
  rows.push(['together', '', number(all, 2), `and ${number(ofOurs(isEvent), 2)} Events`])
  return tableText({ title: '', head: ['service', 'write', 'for each', 'what for'], rows })
}

function readsTable({ audited }: Result): string {
  const { launches, stops, count } = audited
  const per = (reads: Counts | undefined, name: string): string => number((reads?.[name] ?? 0) / count, 2)
  const rows = OURS.flatMap((service) => {
    const own = [launches.reads[service], stops.reads[service]]
    const names = new Set(own.flatMap((reads) => Object.keys(reads ?? {})))
    return [...names].map((name) => [service, `\`${name}\``, ...own.map((reads) => per(reads, name))])
  })
  return tableText({ title: '', head: ['service', 'read', 'launch', 'shut-off'], rows })
}

function idle({ writes, reads, leases }: Doings): string {
  const said = (what: Readonly<Record<string, Counts>>): string[] =>
    OURS.flatMap((service) =>
      Object.entries(what[service] ?? {}).map(([name, times]) => `${times} \`${name}\` by ${service}`),
    )
  const all = [...said(leases), ...said(writes), ...said(reads)]
  return all.length === 0 ? 'nothing' : all.join(', ')
}
