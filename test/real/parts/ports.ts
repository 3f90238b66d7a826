import { createServer } from 'node:net'

/**
 * Below the range that systems hand out for outgoing connections (from 32768 on Linux, 49152 on macOS), so that
 * no client of ours takes the port of a server that is down for a restart.
 */
const LOWEST = 15_000
const COUNT = 15_000
const TRIES = 100

/** A loopback port nobody listens on now. Someone else may still be quicker: see `retryOnPortRace`. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * COUNT)
    if (await canListen(port)) return port
  }
  throw new Error(`no free port found between ${LOWEST} and ${LOWEST + COUNT}`)
}

function canListen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  return promise
}

/** Said by all three servers, in Go's words, when another process has their port. */
export function isPortRace(error: unknown): boolean {
  return error instanceof Error && error.message.includes('address already in use')
}

/** Runs `start` again, which has to choose new ports, as long as it fails because a port was taken. */
export async function retryOnPortRace<T>(start: () => Promise<T>, tries = 5): Promise<T> {
  for (let left = tries - 1; ; left--) {
    try {
      return await start()
    } catch (error) {
      if (left === 0 || !isPortRace(error)) throw error
    }
  }
}
