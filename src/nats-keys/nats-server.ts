import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { CertificateFiles, ReloadableServer } from './nats-reloader.ts'

const varz = z.looseObject({ config_load_time: z.iso.datetime({ offset: true }) })
const ANSWER_TIMEOUT_MS = 5000

/** The files of a folder, as a volume of Kubernetes shows them: what begins with dots is kubelet's own. */
export class CertificateFolder implements CertificateFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async read(): Promise<{ readonly content: string; readonly changedMs: number }> {
    const names = (await readdir(this.#folder)).filter((name) => !name.startsWith('.')).toSorted()
    if (names.length === 0) throw new Error(`${this.#folder} is empty`)
    const hash = createHash('sha256')
    const times: number[] = []
    for (const name of names) {
      const path = join(this.#folder, name)
      hash.update(`${name}\0`).update(await readFile(path))
      times.push((await stat(path)).mtimeMs)
    }
    return { content: hash.digest('hex'), changedMs: Math.max(...times) }
  }
}

/** A nats-server of the same Pod: one whose processes we see. */
export class LocalNatsServer implements ReloadableServer {
  readonly #options: { readonly monitorUrl: string; readonly pidFile: string }
  readonly #kill: (pid: number, signal: 'SIGHUP') => void

  constructor(
    deps: { readonly kill: (pid: number, signal: 'SIGHUP') => void },
    options: { readonly monitorUrl: string; readonly pidFile: string },
  ) {
    this.#kill = deps.kill
    this.#options = options
  }

  async loadedMs(): Promise<number> {
    const { href: url } = new URL('/varz', this.#options.monitorUrl)
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }).catch(
      (error: unknown) => {
        throw new Error(`NATS does not answer at ${url}`, { cause: error })
      },
    )
    if (!answer.ok) throw new Error(`NATS answers with ${answer.status} at ${url}`)
    return Date.parse(varz.parse(await answer.json()).config_load_time)
  }

  async reload(): Promise<void> {
    const { pidFile } = this.#options
    const text = (await readFile(pidFile, 'utf8')).trim()
    if (!/^[1-9]\d*$/.test(text)) throw new Error(`${pidFile} holds no process id`)
    this.#kill(Number(text), 'SIGHUP')
  }
}
