import { z } from 'zod'
import { decodeJwt, JwtError } from './jwt.ts'
import { isPublicKey } from './nkey.ts'

/** What a broker asks about a client that connects. */
export interface AuthorizationRequest {
  /** The broker's id: answers are made out to it. */
  readonly serverId: string
  /** The key the broker made for this one connection: an answer with another is worth nothing. */
  readonly userNkey: string
  /** The Kubernetes token the client shows. */
  readonly token: string | undefined
  /** The client as it calls itself, and where it comes from: for the log, and believed in nothing. */
  readonly client: string
  readonly from: string
  /** As the broker's own log has it: the server's name and the number of the connection there. */
  readonly connection: string
}

const requestSchema = z.object({
  aud: z.literal('nats-authorization-request'),
  nats: z.object({
    type: z.literal('authorization_request'),
    server_id: z.object({ id: z.string(), name: z.string().optional() }),
    user_nkey: z.string().refine((key) => isPublicKey('user', key), 'is no user key'),
    client_info: z.object({
      id: z.number().optional(),
      host: z.string().optional(),
      name: z.string().optional(),
    }),
    connect_opts: z.object({ auth_token: z.string().optional() }),
  }),
})

/**
 * Reads an authorization request.
 *
 * @throws JwtError for what no broker sent.
 */
export function readRequest(jwt: string): AuthorizationRequest {
  const claims = decodeJwt(jwt)
  const result = requestSchema.safeParse(claims)
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new JwtError(`it is no authorization request: ${problems.join('; ')}`)
  }
  const { nats } = result.data
  // A broker signs with the key that is its id.
  if (claims.iss !== nats.server_id.id || !isPublicKey('server', claims.iss)) {
    throw new JwtError('it is not signed by the broker it names')
  }
  const { auth_token: token } = nats.connect_opts
  return {
    serverId: nats.server_id.id,
    userNkey: nats.user_nkey,
    token: token === '' ? undefined : token,
    client: nats.client_info.name ?? '-',
    from: nats.client_info.host ?? '-',
    connection: `${nats.server_id.name ?? '-'}/cid:${nats.client_info.id ?? '-'}`,
  }
}
