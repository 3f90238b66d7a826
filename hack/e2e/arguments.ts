export const USAGE = `usage: npm run e2e -- [--keep] [--reuse] [--emulate] [--only PATTERN]

Makes a kind cluster with KubeVirt, installs Kilonova's chart in it, and runs the scenarios of test/e2e there.

  --keep          leave the cluster when done
  --reuse         take the cluster and what is installed in it as they are, and leave them
  --emulate       emulate guests also where the hardware could run them
  --only PATTERN  only the scenarios whose names match
  --help          this text

Needs Docker, kind, kubectl and helm. When something fails, .kilonova/e2e tells of the cluster.`

export interface Arguments {
  readonly keep: boolean
  readonly reuse: boolean
  readonly emulate: boolean
  readonly only: string | undefined
}

export type Parsed =
  | { readonly arguments: Arguments }
  | { readonly arguments?: undefined; readonly problem: string }

/** Understands the words of the command line; `problem` is empty when only help was asked for. */
export function parseArguments(words: readonly string[]): Parsed {
  let keep = false
  let reuse = false
  let emulate = false
  let only: string | undefined
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--help') return { problem: '' }
    if (word === '--keep') keep = true
    else if (word === '--reuse') reuse = true
    else if (word === '--emulate') emulate = true
    else if (word === '--only') {
      only = rest.shift()
      if (!only || only.startsWith('--')) return { problem: '--only needs a pattern' }
    } else return { problem: `unknown argument: ${word}` }
  }
  return { arguments: { keep, reuse, emulate, only } }
}
