import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Tool, thisPlatform } from './tools.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const LEFTOVER_AFTER_MS = 24 * 60 * 60 * 1000

/** Outside the checkout, so that every clone and worktree shares what took minutes to get. */
export function cacheFolder(env: Environment): string {
  if (env['KILONOVA_CACHE']) return env['KILONOVA_CACHE']
  if (env['XDG_CACHE_HOME']) return join(env['XDG_CACHE_HOME'], 'kilonova')
  return join(homedir(), '.cache', 'kilonova')
}

/** The platform is in the name because home folders get mounted into machines of another kind. */
export function cachedPath(tool: Tool, env: Environment): string {
  const platform = thisPlatform()
  const kind =
    platform === undefined ? `${process.platform}-${process.arch}` : `${platform.os}-${platform.arch}`
  return join(cacheFolder(env), 'bin', `${tool.name}-${tool.version}-${kind}`, tool.name)
}

/** A work folder inside the cache, hence on the same file system: what is made there can be renamed into place. */
export function makeWorkFolder(tool: Tool, env: Environment): string {
  const parent = join(cacheFolder(env), 'tmp')
  mkdirSync(parent, { recursive: true })
  sweepLeftovers(parent)
  return mkdtempSync(join(parent, `${tool.name}-${process.pid}-`))
}

/** Puts a finished, proven program into the cache in one step: readers see all of it or nothing. */
export function placeInCache(tool: Tool, program: string, env: Environment): string {
  const target = cachedPath(tool, env)
  mkdirSync(dirname(target), { recursive: true })
  renameSync(program, target)
  return target
}

/** Runs that were killed outright leave their work folder; nobody is still at it after a day. */
function sweepLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const path = join(parent, name)
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > LEFTOVER_AFTER_MS) rmSync(path, { recursive: true, force: true })
  }
}
