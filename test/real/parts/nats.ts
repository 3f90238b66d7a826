import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { makeFolder, removeFolder } from './folder.ts'
import { Part } from './part.ts'
import { freePort, retryOnPortRace } from './ports.ts'
import { program } from './programs.ts'

export interface NatsOptions {
  /** Sync every JetStream write to disk before it is acknowledged. Default: nats-server's own, every two minutes. */
  readonly syncAlways?: boolean
  /** More lines for its configuration file, such as an `authorization { … }` block. */
  readonly config?: string
  /** Leave the folder, with its log, to be looked at. */
  readonly keep?: boolean
  readonly readyWithinMs?: number
}

export interface NatsServer {
  readonly url: string
  readonly port: number
  readonly dir: string
  readonly part: Part
  /** Ends it and removes its folder. */
  stop(): Promise<void>
  /** SIGKILL; the store stays, `restart()` brings it back. */
  kill(): Promise<void>
  /** On the same port with the same store. */
  restart(): Promise<void>
}

/** Starts nats-server with JetStream on a free loopback port, its store in a folder of its own. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  return retryOnPortRace(() => startOnce(options))
}

async function startOnce(options: NatsOptions): Promise<NatsServer> {
  const nats = program('nats-server')
  const dir = makeFolder('nats', options.keep)
  const port = await freePort()
  const configFile = join(dir, 'nats.conf')
  writeFileSync(configFile, configuration(port, dir, options))
  const part = new Part({
    name: 'nats-server',
    program: nats,
    args: ['-c', configFile],
    logFile: join(dir, 'nats-server.log'),
    isReady: () => greets(port),
    readyWithinMs: options.readyWithinMs ?? 30_000,
  })
  try {
    await part.start()
  } catch (error) {
    if (options.keep !== true) removeFolder(dir)
    throw error
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    dir,
    part,
    stop: async () => {
      await part.stop()
      if (options.keep !== true) removeFolder(dir)
    },
    kill: () => part.kill(),
    restart: () => part.restart(),
  }
}

function configuration(port: number, dir: string, options: NatsOptions): string {
  const lines = [
    `listen: "127.0.0.1:${port}"`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(join(dir, 'store'))}`,
  ]
  if (options.syncAlways === true) lines.push('  sync_interval: always')
  lines.push('}', options.config ?? '', '')
  return lines.join('\n')
}

/** The server speaks first: one INFO line, once it takes clients and JetStream has recovered its streams. */
export function greets(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ port, host: '127.0.0.1' })
  socket.setTimeout(2_000)
  socket.once('data', (data) => resolve(data.toString().startsWith('INFO ')))
  for (const failure of ['error', 'timeout', 'close']) socket.once(failure, () => resolve(false))
  return promise.finally(() => socket.destroy())
}
