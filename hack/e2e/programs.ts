import type { Environment } from '../setup/cache.ts'
import { findOnPath, findTools } from '../setup/find.ts'
import { compareVersions, parseVersion } from '../setup/version.ts'
import { CommandFailedError, type Commands } from './commands.ts'
import { E2E } from './settings.ts'

/** Paths of the programs that a run needs. */
export interface Programs {
  readonly docker: string
  readonly kind: string
  readonly kubectl: string
  readonly helm: string
}

export type FoundPrograms =
  | { readonly programs: Programs; readonly lacking?: undefined }
  /** One sentence: what is missing and how to get it. */
  | { readonly programs?: undefined; readonly lacking: string }

const GET_DOCKER = 'https://docs.docker.com/get-started/get-docker/'
const GET_KIND = `go install sigs.k8s.io/kind@v${E2E.kind}, or https://github.com/kubernetes-sigs/kind/releases/tag/v${E2E.kind}`

/** Finds what a run needs, and asks Docker and kind whether they can be used. */
export async function findPrograms(
  commands: Commands,
  env: Environment = process.env,
): Promise<FoundPrograms> {
  const { kubectl, helm } = findTools(env)
  const docker = findOnPath('docker', env)
  const kind = findOnPath('kind', env)
  const problems = [
    docker ? await problemOfDocker(commands, docker) : `docker is missing (get it: ${GET_DOCKER})`,
    kind ? await problemOfKind(commands, kind) : `kind is missing (get it: ${GET_KIND})`,
    kubectl ? undefined : 'kubectl is missing (get it: npm run setup -- kubectl)',
    helm ? undefined : 'helm is missing (get it: npm run setup -- helm)',
  ].filter((problem) => problem !== undefined)
  if (docker && kind && kubectl && helm && problems.length === 0) {
    return { programs: { docker, kind, kubectl, helm } }
  }
  return { lacking: `The e2e scenarios cannot run here: ${problems.join('; ')}.` }
}

async function problemOfDocker(commands: Commands, docker: string): Promise<string | undefined> {
  try {
    await commands.run(docker, ['version', '--format', '{{.Server.Version}}'])
    return undefined
  } catch (error) {
    if (!(error instanceof CommandFailedError)) throw error
    return 'docker is there but its daemon does not answer (start it, and see that you may use it: docker version)'
  }
}

async function problemOfKind(commands: Commands, kind: string): Promise<string | undefined> {
  const version = parseVersion(await commands.run(kind, ['version'])) ?? '0.0.0'
  if (compareVersions(version, E2E.kind) >= 0) return undefined
  return `kind ${version} is too old for the images of hack/kind.yaml (get ${E2E.kind}: ${GET_KIND})`
}
