import { z } from 'zod'
import type { KubeClient } from './client.ts'

export interface ServerVersion {
  readonly major: number
  readonly minor: number
  /** As the server writes it: `v1.36.3`. */
  readonly text: string
}

/** Selectable fields of custom resources; the node in the tokens of agents and admission policies came before. */
const OLDEST = { major: 1, minor: 31 }

const answer = z.object({ major: z.string(), minor: z.string(), gitVersion: z.string() })

/** Asks an API server for its version. */
export async function serverVersion(
  client: Pick<KubeClient, 'getRaw'>,
  signal?: AbortSignal,
): Promise<ServerVersion> {
  const { major, minor, gitVersion } = answer.parse(JSON.parse(await client.getRaw('/version', { signal })))
  // Some clouds write the minor version as `31+`.
  return { major: Number.parseInt(major, 10), minor: Number.parseInt(minor, 10), text: gitVersion }
}

/** Why Kilonova cannot work with this version; undefined when it can. */
export function tooOld({ major, minor, text }: ServerVersion): string | undefined {
  if (major > OLDEST.major || minor >= OLDEST.minor) return undefined
  return `${text} is older than v${OLDEST.major}.${OLDEST.minor}, which Kilonova's definitions and policies need`
}
