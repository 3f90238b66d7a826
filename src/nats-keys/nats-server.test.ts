import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CertificateFolder, LocalNatsServer } from './nats-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kilonova-nats-server-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the folder of certificates', () => {
  const MADE_MS = Date.UTC(2026, 0, 1)

  /** As kubelet does: a folder of its own for each version, and a link that is exchanged. */
  const show = (version: string, files: Readonly<Record<string, string>>, madeMs = MADE_MS): void => {
    mkdirSync(join(folder, version))
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, version, name)
      writeFileSync(path, text)
      utimesSync(path, madeMs / 1000, madeMs / 1000)
    }
    symlinkSync(version, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  const link = (...names: string[]): void => {
    for (const name of names) symlinkSync(join('..data', name), join(folder, name))
  }

  it('is another when one of the files changed, and the same when it was only written again', async () => {
    show('..1', { 'tls.crt': 'a', 'tls.key': 'b' })
    link('tls.crt', 'tls.key')
    const files = new CertificateFolder(folder)
    const first = await files.read()
    expect(first.changedMs).toBe(MADE_MS)

    show('..2', { 'tls.crt': 'a', 'tls.key': 'b' }, MADE_MS + 5000)
    expect(await files.read()).toEqual({ content: first.content, changedMs: MADE_MS + 5000 })

    show('..3', { 'tls.crt': 'a', 'tls.key': 'c' })
    expect((await files.read()).content).not.toBe(first.content)
  })

  it('that is empty is none', async () => {
    await expect(new CertificateFolder(folder).read()).rejects.toThrow(`${folder} is empty`)
  })
})

describe('a server of NATS beside us', () => {
  let monitor: Server
  let answer: { readonly status: number; readonly body: string }
  let monitorUrl: string
  let signals: (readonly [number, string])[]

  beforeEach(async () => {
    signals = []
    answer = { status: 200, body: '{"config_load_time":"2026-01-01T00:00:01.5Z"}' }
    monitor = createServer((request, response) => {
      response.writeHead(request.url === '/varz' ? answer.status : 404).end(answer.body)
    }).listen(0, '127.0.0.1')
    await once(monitor, 'listening')
    monitorUrl = `http://127.0.0.1:${Object(monitor.address()).port}`
  })
  afterEach(() => {
    monitor.closeAllConnections()
    monitor.close()
  })

  const pidFile = (): string => join(folder, 'nats.pid')
  const server = (): LocalNatsServer =>
    new LocalNatsServer(
      { kill: (pid, signal) => void signals.push([pid, signal]) },
      { monitorUrl, pidFile: pidFile() },
    )

  it('tells when it read its configuration', async () => {
    expect(await server().loadedMs()).toBe(Date.UTC(2026, 0, 1, 0, 0, 1, 500))
  })

  it('that does not tell is named', async () => {
    answer = { status: 503, body: '' }
    await expect(server().loadedMs()).rejects.toThrow(`NATS answers with 503 at ${monitorUrl}/varz`)
    monitor.closeAllConnections()
    monitor.close()
    await once(monitor, 'close')
    await expect(server().loadedMs()).rejects.toThrow(`NATS does not answer at ${monitorUrl}/varz`)
  })

  it('is told by a signal to the process that its file names', async () => {
    writeFileSync(pidFile(), '27\n')
    await server().reload()
    expect(signals).toEqual([[27, 'SIGHUP']])
  })

  // Of 0 and of what is negative the kernel makes a group of processes.
  it.each(['', '0', '-1', 'x'])('is not told where the file holds %j', async (text) => {
    writeFileSync(pidFile(), text)
    await expect(server().reload()).rejects.toThrow(`${pidFile()} holds no process id`)
    expect(signals).toEqual([])
  })
})
