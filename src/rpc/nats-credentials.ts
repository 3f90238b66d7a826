import { readFile } from 'node:fs/promises'
import { credsAuthenticator, nkeyAuthenticator, type NodeConnectionOptions } from '@nats-io/transport-node'
import { messageOf } from '../common/errors/message-of.ts'

/** Files that say who we are and whom we trust. Whoever renews them replaces them: they are read at each connect. */
export interface CredentialFiles {
  /** A token shown to the broker, such as a Kubernetes service account token. */
  readonly tokenFile?: string | undefined
  /** Certificates of those who may vouch for the broker, in place of the system's. */
  readonly caFile?: string | undefined
  /** A user's JWT and seed, as the nsc tool writes them. */
  readonly credsFile?: string | undefined
  /** The seed of a user nkey that the broker knows. */
  readonly nkeyFile?: string | undefined
  /** Our own certificate and its key, for a broker that asks for one. */
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

/** A file that the broker cannot be reached without is missing or of no use. */
export class UnusableCredentials extends Error {}

/**
 * What the files hold now, as nats.js wants it.
 *
 * @throws UnusableCredentials naming the file
 */
export async function readCredentials(
  files: CredentialFiles,
): Promise<Pick<NodeConnectionOptions, 'token' | 'authenticator' | 'tls'>> {
  const { tokenFile, caFile, credsFile, nkeyFile, certFile, keyFile } = files
  const [token, ca, creds, nkey, cert, key] = await Promise.all([
    read('token', tokenFile),
    read('CA', caFile),
    read('creds', credsFile),
    read('nkey', nkeyFile),
    read('certificate', certFile),
    read('key', keyFile),
  ])
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  return {
    ...(token && { token }),
    ...(creds && { authenticator: credsAuthenticator(new TextEncoder().encode(creds)) }),
    ...(nkey && { authenticator: nkeyAuthenticator(new TextEncoder().encode(nkey.trim())) }),
    // Whoever names a CA or a certificate means TLS, whatever the URL's scheme.
    ...(Object.keys(tls).length > 0 && { tls }),
  }
}

async function read(what: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  let content: string
  try {
    content = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new UnusableCredentials(`cannot read the ${what} file: ${messageOf(error)}`, { cause: error })
  }
  if (content === '') throw new UnusableCredentials(`the ${what} file ${file} is empty`)
  // The credentials parser wants a line's end after the last line.
  return `${content}${what === 'token' ? '' : '\n'}`
}
