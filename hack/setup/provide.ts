import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, type Environment, makeWorkFolder, placeInCache } from './cache.ts'
import { downloadRelease } from './download.ts'
import { type Attempt, type FoundTool, lookUp } from './find.ts'
import { buildWithGo } from './go-build.ts'
import { withLock } from './lock.ts'
import { elapsed, type Log } from './progress.ts'
import { type Tool, thisPlatform } from './tools.ts'
import { readVersion } from './version.ts'

export type Provided =
  | { readonly found: FoundTool }
  | { readonly found?: undefined; readonly attempts: readonly Attempt[] }

/** One way to get a tool that is not on the machine: makes the program in a work folder and says where. */
export interface InstallWay {
  readonly name: string
  readonly get: (tool: Tool, options: InstallOptions) => Promise<string>
}

export interface InstallOptions {
  readonly folder: string
  readonly env: Environment
  readonly log: Log
  readonly signal: AbortSignal
}

export interface ProvideOptions {
  readonly env: Environment
  readonly log: Log
  readonly signal: AbortSignal
  readonly ways?: readonly InstallWay[]
}

export const INSTALL_WAYS: readonly InstallWay[] = [
  {
    name: 'release',
    get: (tool, options) => {
      const platform = thisPlatform()
      const release = platform && tool.release(platform)
      if (release === undefined) throw new Error(`none is published for ${process.platform} ${process.arch}`)
      options.log(`downloading ${release.url}`)
      return downloadRelease(release, options)
    },
  },
  {
    name: 'Go build',
    get: (tool, options) => {
      options.log(`building ${tool.go.package} v${tool.version} with Go`)
      return buildWithGo(tool, options)
    },
  },
]

/** Finds the tool, or else gets it into the cache by the first of the ways that works. */
export async function provide(tool: Tool, options: ProvideOptions): Promise<Provided> {
  const lookup = lookUp(tool, options.env)
  if (lookup.found !== undefined) return lookup
  if (lookup.final) return { attempts: lookup.attempts }

  const log = (line: string) => options.log(`${tool.name}: ${line}`)
  const lockFile = join(cacheFolder(options.env), 'lock', `${tool.name}-${tool.version}`)
  const onWait = (holder: number) => log(`process ${holder} is getting it already, waiting for it`)
  return withLock(lockFile, { signal: options.signal, onWait }, async () => {
    // Whoever had the lock before us may have put it there.
    const again = lookUp(tool, options.env)
    return again.found === undefined ? install(tool, lookup.attempts, { ...options, log }) : again
  })
}

async function install(tool: Tool, before: readonly Attempt[], options: ProvideOptions): Promise<Provided> {
  const attempts = [...before]
  for (const way of options.ways ?? INSTALL_WAYS) {
    const began = Date.now()
    const folder = makeWorkFolder(tool, options.env)
    try {
      const program = await way.get(tool, { ...options, folder })
      prove(tool, program)
      const path = placeInCache(tool, program, options.env)
      options.log(`done in ${elapsed(began)} (${way.name})`)
      return { found: { tool: tool.name, version: tool.version, from: way.name, path } }
    } catch (error) {
      options.signal.throwIfAborted()
      const problem = error instanceof Error ? error.message : String(error)
      options.log(`${way.name} did not work: ${problem}`)
      attempts.push({ way: way.name, problem })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return { attempts }
}

/** Nothing gets into the cache that does not run here, or that is not what it is said to be. */
function prove(tool: Tool, program: string): void {
  const answer = readVersion(program, tool.versionArgs)
  if (!answer.ok) throw new Error(answer.problem)
  if (answer.version !== tool.version) {
    throw new Error(`it says that it is ${answer.version}, not ${tool.version}`)
  }
}
