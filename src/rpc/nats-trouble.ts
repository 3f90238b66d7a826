import { AuthorizationError, PermissionViolationError } from '@nats-io/transport-node'
import { messageOf } from '../common/errors.ts'
import { UnusableCredentials } from './nats-credentials.ts'

/** Why the broker cannot be reached: what kind of trouble, and the sentence for it. */
export interface ConnectTrouble {
  readonly kind: 'unreachable' | 'refused' | 'untrusted' | 'credentials'
  readonly reason: string
}

/** Node's and OpenSSL's names for a certificate that is not accepted. */
const CERTIFICATE_TROUBLE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS_/

/** What a failed try to connect means. */
export function connectTroubleOf(error: unknown): ConnectTrouble {
  if (error instanceof UnusableCredentials) return { kind: 'credentials', reason: error.message }
  if (error instanceof AuthorizationError) {
    return { kind: 'refused', reason: `the broker refused our credentials (${error.message})` }
  }
  if (codes(error).some((code) => CERTIFICATE_TROUBLE.test(code))) {
    return { kind: 'untrusted', reason: `the broker's certificate is not trusted (${messageOf(error)})` }
  }
  return { kind: 'unreachable', reason: messageOf(error) }
}

/** The permission that a failed request lacked, wherever nats.js put it; undefined for any other failure. */
export function violationOf(error: unknown): PermissionViolationError | undefined {
  return chain(error).find((one) => one instanceof PermissionViolationError)
}

function codes(error: unknown): string[] {
  return chain(error).flatMap((one) => ('code' in one && typeof one.code === 'string' ? [one.code] : []))
}

function chain(error: unknown): Error[] {
  const found: Error[] = []
  for (let one = error; one instanceof Error && !found.includes(one); one = one.cause) found.push(one)
  return found
}
