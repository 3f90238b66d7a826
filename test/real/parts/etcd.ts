import { join } from 'node:path'
import { Part } from './part.ts'
import { freePort } from './ports.ts'
import { program } from './programs.ts'

export interface EtcdOptions {
  readonly dir: string
  readonly fsync: boolean
  readonly readyWithinMs: number
}

export interface Etcd {
  readonly url: string
  readonly part: Part
}

/** A cluster of one member; not started yet. */
export async function makeEtcd(options: EtcdOptions): Promise<Etcd> {
  const url = `http://127.0.0.1:${await freePort()}`
  const args = [
    `--data-dir=${join(options.dir, 'etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    // Nobody ever connects to it, but etcd wants to listen.
    '--listen-peer-urls=http://127.0.0.1:0',
    // A lone member waits for its own election timeout before it serves.
    '--heartbeat-interval=20',
    '--election-timeout=200',
    '--log-level=warn',
  ]
  if (!options.fsync) args.push('--unsafe-no-fsync')
  const part = new Part({
    name: 'etcd',
    program: program('etcd'),
    args,
    logFile: join(options.dir, 'etcd.log'),
    isReady: async () => (await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) })).ok,
    readyWithinMs: options.readyWithinMs,
  })
  return { url, part }
}
