import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, createWriteStream } from 'node:fs'
import { basename, join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EnvHttpProxyAgent, fetch, type Response } from 'undici'
import { type Log, withTicks } from './progress.ts'
import type { Release } from './tools.ts'

/** Short, so that a machine without internet gets on to the next way at once. */
const CONNECT_TIMEOUT_MS = 5_000
const SILENCE_TIMEOUT_MS = 30_000
/** Never by way of the proxy that the environment may name. */
const LOOPBACK = ['127.0.0.1', 'localhost']

export interface DownloadOptions {
  /** A folder of ours alone; what is left in it after a failure is thrown away with it. */
  readonly folder: string
  readonly log: Log
  readonly signal: AbortSignal
}

/** Downloads a release, refuses it unless its checksum is the published one, and gives the program's path. */
export async function downloadRelease(release: Release, options: DownloadOptions): Promise<string> {
  const agent = new EnvHttpProxyAgent({
    noProxy: [process.env['no_proxy'] ?? process.env['NO_PROXY'], ...LOOPBACK].filter(Boolean).join(','),
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
  })
  try {
    const get = (url: string) => request(url, agent, options.signal)
    const name = basename(new URL(release.url).pathname)
    const expected = publishedChecksum(await (await get(release.checksumUrl)).text(), name)
    const file = join(options.folder, name)
    const actual = await save(await get(release.url), file, options.log)
    if (actual !== expected) {
      throw new Error(`${release.url} has the SHA-256 ${actual}, but ${expected} is published: refused`)
    }
    const program = release.member === undefined ? file : unpack(file, release.member, options.folder)
    chmodSync(program, 0o755)
    return program
  } finally {
    // Not close(), which would wait for a download that we no longer want.
    await agent.destroy()
  }
}

/** Reads both forms in use: the bare digest, and `sha256sum` lines of digest and file name. */
export function publishedChecksum(text: string, fileName: string): string {
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  const row = rows.find((words) => words[1]?.replace(/^\*/, '') === fileName)
  const bare = rows.length === 1 && rows[0]?.length === 1 ? rows[0] : undefined
  const digest = (row ?? bare)?.[0]?.toLowerCase() ?? ''
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`no SHA-256 of ${fileName} is published`)
  return digest
}

async function request(url: string, agent: EnvHttpProxyAgent, signal: AbortSignal): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { dispatcher: agent, signal })
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`${url}: ${reason(error)}`, { cause: error })
  }
  if (response.ok) return response
  await response.body?.cancel()
  throw new Error(`${url}: HTTP ${response.status}`)
}

async function save(response: Response, file: string, log: Log): Promise<string> {
  if (response.body === null) throw new Error(`${response.url}: empty answer`)
  const total = Number(response.headers.get('content-length') ?? 0)
  const hash = createHash('sha256')
  let received = 0
  const tee = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      received += chunk.length
      done(null, chunk)
    },
  })
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  const of = total > 0 ? ` of ${megabytes(total)}` : ''
  const body = Readable.fromWeb(response.body)
  await withTicks(
    log,
    () => `downloading, ${megabytes(received)}${of}`,
    () => pipeline(body, tee, createWriteStream(file)),
  )
  return hash.digest('hex')
}

/** Linux archives are tar.gz; the one zip, etcd for macOS, is read by macOS's own tar too. */
function unpack(archive: string, member: string, folder: string): string {
  const run = spawnSync('tar', ['-xf', archive, '-C', folder, member], { encoding: 'utf8' })
  if (run.error !== undefined) throw new Error(`tar does not run: ${run.error.message}`)
  if (run.status !== 0) throw new Error(`tar could not unpack ${member}: ${run.stderr.trim()}`)
  return join(folder, member)
}

/** undici says "fetch failed" and keeps the reason in the cause. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}
