import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { cachedPath, type Environment } from './cache.ts'
import { TOOLS, type Tool, type ToolName } from './tools.ts'
import { compareVersions, readVersion } from './version.ts'

export interface FoundTool {
  readonly tool: ToolName
  readonly version: string
  /** In words for the table: "environment (KILONOVA_ETCD)", "cache", "PATH", … */
  readonly from: string
  readonly path: string
}

export interface Attempt {
  readonly way: string
  readonly problem: string
}

export type Lookup =
  | { readonly found: FoundTool }
  /** `final`: the user named a program that cannot be used, and nothing else may silently stand in for it. */
  | { readonly found?: undefined; readonly attempts: readonly Attempt[]; readonly final: boolean }

type Step = FoundTool | Attempt

/** Where each of the programs is, if it is on this machine already. Installs nothing. */
export function findTools(env: Environment = process.env): Readonly<Record<ToolName, string | undefined>> {
  const path = (name: ToolName) => lookUp(TOOLS[name], env).found?.path
  return {
    'kube-apiserver': path('kube-apiserver'),
    etcd: path('etcd'),
    'nats-server': path('nats-server'),
    kubectl: path('kubectl'),
    helm: path('helm'),
  }
}

/** Environment variable, then cache, then PATH; the first that has a usable program wins. */
export function lookUp(tool: Tool, env: Environment): Lookup {
  const named = env[tool.variable]
  if (named) {
    const step = fromVariable(tool, named)
    return 'path' in step ? { found: step } : { attempts: [step], final: true }
  }
  const attempts: Attempt[] = []
  for (const step of [fromKubebuilderAssets, fromCache, fromPath]) {
    const result = step(tool, env)
    if ('path' in result) return { found: result }
    attempts.push(result)
  }
  return { attempts, final: false }
}

function fromVariable(tool: Tool, named: string): Step {
  const path = resolve(named)
  const way = `environment (${tool.variable})`
  if (!isProgram(path)) return { way, problem: `${path} is no program that can be run` }
  const answer = readVersion(path, tool.versionArgs)
  return answer.ok
    ? { tool: tool.name, version: answer.version, from: way, path }
    : { way, problem: answer.problem }
}

function fromKubebuilderAssets(tool: Tool, env: Environment): Step {
  const variables = tool.inKubebuilderAssets ? `${tool.variable}, KUBEBUILDER_ASSETS` : tool.variable
  const folder = tool.inKubebuilderAssets ? env['KUBEBUILDER_ASSETS'] : undefined
  if (!folder) return { way: 'environment', problem: `not set: ${variables}` }
  const way = 'environment (KUBEBUILDER_ASSETS)'
  const path = resolve(folder, tool.name)
  return isProgram(path) ? ifNewEnough(tool, path, way) : { way, problem: `${path} is not there` }
}

function fromCache(tool: Tool, env: Environment): Step {
  const path = resolve(cachedPath(tool, env))
  // It was run once before it got there, and it got there whole.
  if (isProgram(path)) return { tool: tool.name, version: tool.version, from: 'cache', path }
  return { way: 'cache', problem: `${path} is not there` }
}

function fromPath(tool: Tool, env: Environment): Step {
  const path = findOnPath(tool.name, env)
  if (path === undefined) return { way: 'PATH', problem: `no ${tool.name} on it` }
  return ifNewEnough(tool, path, 'PATH')
}

function ifNewEnough(tool: Tool, path: string, way: string): Step {
  const answer = readVersion(path, tool.versionArgs)
  if (!answer.ok) return { way, problem: answer.problem }
  if (compareVersions(answer.version, tool.minimum) < 0) {
    return { way, problem: `${path} is ${answer.version}, older than ${tool.minimum}` }
  }
  return { tool: tool.name, version: answer.version, from: way, path }
}

export function findOnPath(program: string, env: Environment): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder))
  return folders.map((folder) => join(folder, program)).find(isProgram)
}

export function isProgram(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
