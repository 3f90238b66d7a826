import { AuthorizationError, PermissionViolationError, TimeoutError } from '@nats-io/transport-node'
import { messageOf } from '../common/errors/message-of.ts'
import { UnusableCredentials } from './nats-credentials.ts'

/** Why the broker cannot be reached: what kind of trouble, and the sentence for it. */
export interface ConnectTrouble {
  /** Whether the broker had work with the try, such as asking who we are. */
  readonly costly: boolean
  readonly kind: 'unreachable' | 'refused' | 'untrusted' | 'credentials'
  readonly reason: string
}

/** Node's and OpenSSL's names for a certificate that we do not accept. */
const CERTIFICATE_TROUBLE =
  /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|INVALID_(?:CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH/
/** What the other end of a TLS connection says before it ends it. */
const TLS_ALERT = /^ERR_SSL_.*ALERT/

/** How a connection ends that was there: the broker gave it up, or did not get to it. */
const CUT_OFF: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET'])

/** What a failed try to connect means. */
export function connectTroubleOf(error: unknown): ConnectTrouble {
  const { kind, reason } = kindOf(error)
  const isCutOff = error instanceof TimeoutError || codes(error).some((code) => CUT_OFF.has(code))
  return { kind, reason, costly: kind === 'refused' || isCutOff }
}

function kindOf(error: unknown): Pick<ConnectTrouble, 'kind' | 'reason'> {
  if (error instanceof UnusableCredentials) return { kind: 'credentials', reason: error.message }
  if (error instanceof AuthorizationError) {
    return { kind: 'refused', reason: `the broker refused our credentials (${error.message})` }
  }
  if (codes(error).some((code) => TLS_ALERT.test(code))) {
    return { kind: 'refused', reason: `the broker refused our certificate (${messageOf(error)})` }
  }
  if (codes(error).some((code) => CERTIFICATE_TROUBLE.test(code))) {
    // Node adds advice of its own, which is not for a service.
    const [why] = messageOf(error).split('; ')
    return { kind: 'untrusted', reason: `the broker's certificate is not trusted: ${why}` }
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
