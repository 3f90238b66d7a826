import type { GoSource } from './tools.ts'

/**
 * The go.mod of a throwaway module whose only requirement is the published module we build from. Go ignores
 * `replace` lines of a dependency, so what k8s.io/kubernetes replaces by its own ./staging folders has to be
 * replaced here by the published modules. Only those: its other requirements are right as they stand.
 */
export function throwawayGoMod(source: GoSource, version: string, publishedGoMod: string): string {
  const lines = ['module kilonova.local/build', '', `go ${goVersion(publishedGoMod)}`, '']
  lines.push(`require ${source.module} v${version}`)
  const staged = stagingModules(publishedGoMod)
  if (staged.length > 0 && source.stagingVersion === undefined) {
    throw new Error(`${source.module} has staging modules (${staged[0]}, …) but no version of them is pinned`)
  }
  if (staged.length > 0) lines.push('')
  for (const module of staged) lines.push(`replace ${module} => ${module} ${source.stagingVersion}`)
  return `${lines.join('\n')}\n`
}

/** The modules that a go.mod replaces by a folder below ./staging. */
export function stagingModules(goMod: string): string[] {
  const matches = goMod.matchAll(/^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+\.\/staging\/\S+/gm)
  return [...new Set([...matches].map((match) => match[1] ?? ''))].toSorted()
}

/** The oldest Go that the module's authors support; with an older one `go` says so or fetches a newer. */
export function goVersion(goMod: string): string {
  const version = /^go\s+(\d+(?:\.\d+)+)/m.exec(goMod)?.[1]
  if (version === undefined) throw new Error('the module has no "go" line in its go.mod')
  return version
}
