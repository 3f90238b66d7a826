import { lookUp } from './find.ts'
import { type ProvideOptions, type Provided, provide } from './provide.ts'
import { elapsed } from './progress.ts'
import { attemptsMessage, missingToolMessage, toolTable } from './report.ts'
import { isToolName, TOOL_NAMES, TOOLS, type ToolName } from './tools.ts'

const USAGE = `usage: npm run setup -- [--check] [tool ...]

Provides ${TOOL_NAMES.join(', ')}: from the environment, the
cache, the PATH, the official releases, or built with Go, in this order.

  tool ...   only these
  --check    say what is there, install nothing; exit code 1 if anything is missing
  --help     this text

The cache is $KILONOVA_CACHE, else $XDG_CACHE_HOME/kilonova, else ~/.cache/kilonova.
A program of your own goes before all else: ${TOOL_NAMES.map((name) => TOOLS[name].variable).join(', ')},
or for kube-apiserver, etcd and kubectl a folder in KUBEBUILDER_ASSETS.`

interface Arguments {
  readonly names: readonly ToolName[]
  readonly check: boolean
}

function parseArguments(words: readonly string[]): Arguments | undefined {
  const unknown = words.find((word) => word !== '--check' && !isToolName(word))
  if (unknown !== undefined) {
    if (unknown !== '--help') console.error(`unknown argument: ${unknown}\n`)
    return undefined
  }
  const asked = words.filter(isToolName)
  return { names: asked.length > 0 ? [...new Set(asked)] : TOOL_NAMES, check: words.includes('--check') }
}

async function main(words: readonly string[]): Promise<number> {
  const parsed = parseArguments(words)
  if (parsed === undefined) {
    console.log(USAGE)
    return words.includes('--help') ? 0 : 2
  }
  const stop = new AbortController()
  // So that a build in progress ends with us, and what it left is removed.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
  }
  const began = Date.now()
  const results = new Map<ToolName, Provided>()
  const options: ProvideOptions = { env: process.env, log: console.log, signal: stop.signal }
  for (const name of parsed.names) {
    results.set(name, parsed.check ? lookUp(TOOLS[name], process.env) : await provide(TOOLS[name], options))
  }
  if (!parsed.check) console.log(`\nset-up took ${elapsed(began)}\n`)
  return report(results, parsed.check) ? 0 : 1
}

/** Prints the table and, below it, what is missing; true if nothing is. */
function report(results: ReadonlyMap<ToolName, Provided>, check: boolean): boolean {
  const found = [...results.values()].flatMap((result) => (result.found === undefined ? [] : [result.found]))
  if (found.length > 0) console.log(toolTable(found))
  const missing = [...results].flatMap(([name, result]) =>
    result.found === undefined ? [{ tool: TOOLS[name], attempts: result.attempts }] : [],
  )
  if (missing.length === 0) return true
  for (const { tool, attempts } of missing) {
    const message = check ? attemptsMessage(tool, attempts) : missingToolMessage(tool, attempts, process.env)
    console.error(`\n${message}`)
  }
  if (check)
    console.error(`\nGet them with: npm run setup -- ${missing.map(({ tool }) => tool.name).join(' ')}`)
  return false
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
