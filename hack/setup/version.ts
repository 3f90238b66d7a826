import { spawnSync } from 'node:child_process'

export type VersionAnswer =
  | { readonly ok: true; readonly version: string }
  | { readonly ok: false; readonly problem: string }

/** First version number in what a program printed: "Kubernetes v1.36.3" gives "1.36.3". */
export function parseVersion(text: string): string | undefined {
  const match = /(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  return match === null ? undefined : `${match[1]}.${match[2]}.${match[3] ?? '0'}`
}

/** Negative, zero or positive, by numbers: 1.9.0 is older than 1.28.0. */
export function compareVersions(left: string, right: string): number {
  const leftParts = left.split('.').map(Number)
  const rightParts = right.split('.').map(Number)
  for (let i = 0; i < 3; i++) {
    const difference = (leftParts[i] ?? 0) - (rightParts[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Runs the program once: that it answers with a version is the proof that it works on this machine. */
export function readVersion(path: string, args: readonly string[]): VersionAnswer {
  const run = spawnSync(path, args, { encoding: 'utf8', timeout: 30_000, stdio: ['ignore', 'pipe', 'pipe'] })
  if (run.error !== undefined) return { ok: false, problem: `${path} does not run: ${run.error.message}` }
  if (run.status !== 0) {
    const said = run.stderr.trim().split('\n').at(-1) ?? ''
    return { ok: false, problem: `${path} ${args.join(' ')} ended with ${run.status ?? run.signal}: ${said}` }
  }
  const version = parseVersion(run.stdout) ?? parseVersion(run.stderr)
  if (version === undefined) return { ok: false, problem: `${path} ${args.join(' ')} printed no version` }
  return { ok: true, version }
}
