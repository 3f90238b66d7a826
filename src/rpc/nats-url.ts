import type { NatsServerOptions } from './nats-link.ts'

/** The servers of a `nats://` or `tls://` URL; undefined for any other. */
export function natsServersOf(url: string): NatsServerOptions | undefined {
  const match = /^(nats|tls):\/\/(?:([^:@/]+)(?::([^@/]*))?@)?([^@/]+(?:,(?:\1:\/\/)?[^@/]+)*)\/?$/.exec(url)
  if (!match) return undefined
  const [, scheme, user, pass, servers = ''] = match
  return {
    // Each server may be written with the scheme of the first, as a list of URLs.
    servers: servers.split(',').map((server) => server.replace(`${scheme}://`, '')),
    ...(user !== undefined && { user: decodeURIComponent(user) }),
    ...(pass !== undefined && { pass: decodeURIComponent(pass) }),
    ...(scheme === 'tls' && { tls: {} }),
  }
}
