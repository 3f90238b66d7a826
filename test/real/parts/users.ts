import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'

/** A user that the API server knows by a token. What it may do is for RBAC objects to say. */
export interface UserSpec {
  readonly name: string
  readonly groups?: readonly string[]
}

export interface User {
  readonly name: string
  readonly token: string
  readonly kubeconfigPath: string
}

export const ADMIN: UserSpec = { name: 'admin', groups: ['system:masters'] }

export interface UsersOptions {
  readonly dir: string
  readonly url: string
  readonly caFile: string
  readonly users: readonly UserSpec[]
}

/** Writes the token file for the API server and a kubeconfig for each user, all readable by us alone. */
export function writeUsers(options: UsersOptions): { tokenFile: string; users: Map<string, User> } {
  const users = new Map<string, User>()
  const rows: string[] = []
  for (const { name, groups = [] } of options.users) {
    const token = randomBytes(16).toString('hex')
    const kubeconfigPath = join(options.dir, `${name.replaceAll(/[^\w.-]/g, '_')}.kubeconfig`)
    rows.push(`${token},${name},${name},"${groups.join(',')}"`)
    writeFileSync(kubeconfigPath, kubeconfig(name, token, options), { mode: 0o600 })
    users.set(name, { name, token, kubeconfigPath })
  }
  const tokenFile = join(options.dir, 'tokens.csv')
  writeFileSync(tokenFile, `${rows.join('\n')}\n`, { mode: 0o600 })
  return { tokenFile, users }
}

/** A kubeconfig for whoever has this token. */
export function kubeconfig(
  name: string,
  token: string,
  { url, caFile }: Pick<UsersOptions, 'url' | 'caFile'>,
): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'kilonova-test', cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name, user: { token } }],
    contexts: [{ name: 'kilonova-test', context: { cluster: 'kilonova-test', user: name } }],
    'current-context': 'kilonova-test',
  })
}
