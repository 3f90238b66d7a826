/**
 * `npm run e2e`: a kind cluster with KubeVirt and Kilonova's chart, and the scenarios of test/e2e on it. See docs/e2e.md.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { elapsed, withTicks } from '../setup/progress.ts'
import { type Arguments, parseArguments, USAGE } from './arguments.ts'
import { MachineCommands } from './commands.ts'
import { gather } from './gather.ts'
import { KindCluster, type Toolbox } from './kind-cluster.ts'
import { planOf, type Step } from './plan.ts'
import { findPrograms, type Programs } from './programs.ts'
import { E2E } from './settings.ts'

const log = (line: string): void => console.log(`      ${line}`)

async function main(words: readonly string[]): Promise<number> {
  const parsed = parseArguments(words)
  if (!parsed.arguments) {
    if (parsed.problem) console.error(`${parsed.problem}\n`)
    console.log(USAGE)
    return parsed.problem ? 2 : 0
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
  }
  const commands = new MachineCommands(E2E.checkout, stop.signal)
  const found = await findPrograms(commands)
  if (!found.programs) {
    console.error(found.lacking)
    return 1
  }
  return runIn({ commands, programs: found.programs, log }, parsed.arguments, stop.signal)
}

async function runIn(tools: Toolbox, args: Arguments, signal: AbortSignal): Promise<number> {
  const cluster = new KindCluster(tools)
  const isThere = await cluster.exists()
  if (args.reuse && !isThere) {
    console.error(
      `There is no kind cluster ${E2E.cluster} to use again; make one with: npm run e2e -- --keep`,
    )
    return 1
  }
  rmSync(E2E.folder, { recursive: true, force: true })
  mkdirSync(E2E.folder, { recursive: true })
  try {
    await follow(planOf(tools, cluster, args, isThere))
    return 0
  } catch (error) {
    console.error(`\n${messageOf(error)}`)
    if (!signal.aborted) await tellOfCluster(tools.programs)
    return 1
  } finally {
    if (isThere || args.keep) {
      console.log(
        `\nThe cluster stays: export KUBECONFIG=${E2E.kubeconfig}; kind delete cluster --name ${E2E.cluster}`,
      )
    } else {
      // Also after a signal, which has ended what ran until then.
      const after = new MachineCommands(E2E.checkout)
      await new KindCluster({ ...tools, commands: after }).delete()
    }
  }
}

async function follow(steps: readonly Step[]): Promise<void> {
  for (const [index, { title, isTalkative, run }] of steps.entries()) {
    console.log(`[${index + 1}/${steps.length}] ${title}`)
    const began = Date.now()
    await (isTalkative ? run() : withTicks(log, () => 'still at it', run))
    log(`done in ${elapsed(began)}`)
  }
}

async function tellOfCluster({ kubectl }: Programs): Promise<void> {
  const { folder, kubeconfig } = E2E
  const files = await gather(new MachineCommands(E2E.checkout), { kubectl, kubeconfig, folder })
  console.error(`\nWhat there was to see of the cluster is in ${folder} (${files} files).`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
