import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { downloadRelease, publishedChecksum } from './download.ts'
import { temporaryFolder, writeProgram } from './testing.ts'
import { readVersion } from './version.ts'

const signal = new AbortController().signal
const log = () => undefined

async function serve(files: Readonly<Record<string, Buffer | string>>) {
  const server = createServer((request, response) => {
    const file = files[request.url ?? '']
    response.statusCode = file === undefined ? 404 : 200
    response.end(file)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => server.close() }
}

const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex')

describe('downloadRelease', () => {
  it('takes a program whose checksum is the published one', async () => {
    using folder = temporaryFolder()
    const program = '#!/bin/sh\necho v1.2.3\n'
    using server = await serve({ '/tool': program, '/tool.sha256': sha256(program) })

    const path = await downloadRelease(
      { url: `${server.url}/tool`, checksumUrl: `${server.url}/tool.sha256`, member: undefined },
      { folder: folder.path, log, signal },
    )

    expect(readVersion(path, [])).toEqual({ ok: true, version: '1.2.3' })
  })

  it('unpacks the program from an archive', async () => {
    using folder = temporaryFolder()
    writeProgram(join(folder.path, 'in/tool-1/tool'), '4.5.6')
    const archive = join(folder.path, 'in.tar.gz')
    spawnSync('tar', ['-czf', archive, '-C', join(folder.path, 'in'), 'tool-1'])
    const data = readFileSync(archive)
    using server = await serve({
      '/tool.tar.gz': data,
      '/SHA256SUMS': `${'0'.repeat(64)}  other.tar.gz\n${sha256(data)}  tool.tar.gz\n`,
    })

    const path = await downloadRelease(
      { url: `${server.url}/tool.tar.gz`, checksumUrl: `${server.url}/SHA256SUMS`, member: 'tool-1/tool' },
      { folder: folder.path, log, signal },
    )

    expect(readVersion(path, [])).toEqual({ ok: true, version: '4.5.6' })
  })

  it('refuses a program whose checksum is another', async () => {
    using folder = temporaryFolder()
    using server = await serve({ '/tool': 'tampered with', '/tool.sha256': sha256('as published') })

    const download = downloadRelease(
      { url: `${server.url}/tool`, checksumUrl: `${server.url}/tool.sha256`, member: undefined },
      { folder: folder.path, log, signal },
    )

    await expect(download).rejects.toThrow(`but ${sha256('as published')} is published: refused`)
  })

  it('says which address failed, and how', async () => {
    using folder = temporaryFolder()
    using server = await serve({})
    const release = { url: `${server.url}/tool`, checksumUrl: `${server.url}/sums`, member: undefined }
    const options = { folder: folder.path, log, signal }

    await expect(downloadRelease(release, options)).rejects.toThrow(`${server.url}/sums: HTTP 404`)
    server[Symbol.dispose]()
    await expect(downloadRelease(release, options)).rejects.toThrow(/\/sums: .*ECONNREFUSED/)
  })
})

describe('publishedChecksum', () => {
  const digest = 'ab'.repeat(32)

  it.each([
    { form: 'a bare digest', text: `${digest}\n` },
    { form: 'a line of sha256sum', text: `${digest}  tool.tar.gz\n` },
    { form: 'a line of sha256sum for a binary file', text: `${digest} *tool.tar.gz\n` },
    { form: 'one of many lines', text: `${'cd'.repeat(32)}  other\n${digest}  tool.tar.gz\n` },
  ])('reads $form', ({ text }) => {
    expect(publishedChecksum(text, 'tool.tar.gz')).toBe(digest)
  })

  it.each([
    { form: 'a list without the file', text: `${digest}  other.tar.gz\n` },
    { form: 'a page that is no checksum', text: '<html>not found</html>' },
    { form: 'nothing', text: '' },
  ])('refuses $form', ({ text }) => {
    expect(() => publishedChecksum(text, 'tool.tar.gz')).toThrow('no SHA-256 of tool.tar.gz is published')
  })
})
