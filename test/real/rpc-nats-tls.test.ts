import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createUser } from '@nats-io/nkeys'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { makeSelfSigned } from '../../src/dev/kubevirt/self-signed.ts'
import type { CredentialFiles } from '../../src/rpc/nats-credentials.ts'
import { openTransport } from '../../src/rpc/open-transport.ts'
import type { Transport } from '../../src/rpc/transport.ts'
import { type KeyedCertificate, makeCertificate } from '../../src/tls/certificate.ts'
import { startNats } from './parts/nats.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()
const clock = new SystemClock()

describe.skipIf(needed !== undefined)('the way to nats-server', () => {
  const authority = makeSelfSigned('Kilonova', clock.now())
  const stranger = makeSelfSigned('Kilonova', clock.now())
  const signed = (name: string): KeyedCertificate => {
    const validity = { notBeforeMs: clock.now() - 1000, notAfterMs: clock.now() + 3_600_000 }
    const issuer = { cert: authority.cert, key: createPrivateKey(authority.key) }
    return makeCertificate({ name, names: [name], isAuthority: false, ...validity }, issuer)
  }
  const ours = signed('nova-api')
  let folder: string
  let leave: AsyncDisposableStack

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kilonova-'))
    leave = new AsyncDisposableStack()
    leave.defer(() => rmSync(folder, { recursive: true, force: true }))
  })
  afterEach(() => leave.disposeAsync())

  const file = (name: string): string => join(folder, name)
  const write = (name: string, content: string): string => {
    writeFileSync(file(name), content)
    return file(name)
  }
  const start = async (config: string): Promise<number> => {
    const nats = await startNats({ config })
    leave.defer(() => nats.stop())
    return nats.port
  }
  const tls = (name = 'localhost', more = ''): string => {
    const { cert, key } = signed(name)
    const files = `cert_file: ${write(`${name}.crt`, cert)}, key_file: ${write(`${name}.key`, key)}`
    return `tls { ${files}${more} }`
  }
  const open = (url: string, files: CredentialFiles): { transport: Transport; said: () => string[] } => {
    const lines: string[] = []
    const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'info' })
    const transport = openTransport(url, { clock, log }, { sender: { service: 'api' }, files })
    leave.defer(() => transport.close())
    return { transport, said: () => lines.filter((line) => line.includes('Waiting for the message broker')) }
  }
  const soon = (check: () => unknown) => expect.poll(check, { timeout: 20_000, interval: 10 })

  it('is trusted by the CA file, which is read when it is there', async () => {
    const url = `tls://localhost:${await start(tls())}`
    const { transport, said } = open(url, { caFile: file('ca.crt') })
    const connected = transport.connect()
    connected.catch(() => undefined)
    await soon(said).toHaveLength(1)
    expect(said()[0]).toMatch(/WARNING .* reason="cannot read the CA file: ENOENT: no such file.*ca\.crt/)

    write('ca.crt', stranger.cert)
    await soon(said).toHaveLength(2)
    expect(said()[1]).toMatch(/WARNING .* reason="the broker's certificate is not trusted: [^;]+"$/)
    expect(transport.status).toBe('disconnected')

    write('ca.crt', authority.cert)
    await connected
    expect(await transport.roundTrip()).toBeGreaterThanOrEqual(0)
    expect(said()).toHaveLength(2)
  })

  it('is not trusted by the CAs of the system alone, nor under another name', async () => {
    const port = await start(tls())
    const alone = open(`tls://localhost:${port}`, {})
    void alone.transport.connect().catch(() => undefined)
    await soon(alone.said).toHaveLength(1)
    expect(alone.said()[0]).toContain("the broker's certificate is not trusted")

    const other = await start(tls('elsewhere'))
    const wrong = open(`tls://localhost:${other}`, { caFile: write('ca.crt', authority.cert) })
    void wrong.transport.connect().catch(() => undefined)
    await soon(wrong.said).toHaveLength(1)
    expect(wrong.said()[0]).toMatch(/certificate is not trusted: .*does not match/)
  })

  it('is shown our certificate, whatever the scheme of its URL', async () => {
    const caFile = write('ca.crt', authority.cert)
    const port = await start(tls('localhost', `, ca_file: ${caFile}, verify: true`))
    const certificate = { certFile: write('our.crt', ours.cert), keyFile: write('our.key', ours.key) }
    const { transport } = open(`nats://localhost:${port}`, { caFile, ...certificate })
    await transport.connect()
    expect(await transport.roundTrip()).toBeGreaterThanOrEqual(0)

    const without = open(`nats://localhost:${port}`, { caFile })
    void without.transport.connect().catch(() => undefined)
    await soon(without.said).toHaveLength(1)
    // What it says for a reason is a race: TLS 1.3 tells a client only after it has begun to talk.
    expect(without.transport.status).toBe('disconnected')
  })

  it('is not taken without TLS where TLS is asked for', async () => {
    const { transport, said } = open(`tls://localhost:${await start('')}`, {})
    void transport.connect().catch(() => undefined)
    await soon(said).toHaveLength(1)
    expect(said()[0]).toContain("server does not support 'tls'")
  })

  it('is shown the token of the file, as it is at each try', async () => {
    const url = `nats://127.0.0.1:${await start('authorization { token: "the-new-one" }')}`
    const { transport, said } = open(url, { tokenFile: write('token', 'the-old-one\n') })
    const connected = transport.connect()
    connected.catch(() => undefined)
    await soon(said).toHaveLength(1)
    expect(said()[0]).toMatch(/WARNING .* reason="the broker refused our credentials \(/)
    expect(said()[0]).not.toContain('the-old-one')

    write('token', '')
    await soon(said).toHaveLength(2)
    expect(said()[1]).toContain('token file')
    write('token', 'the-new-one\n')
    await connected
  })

  it('is shown the creds of the file', async () => {
    const user = createUser()
    const port = await start(`authorization { users: [ { nkey: "${user.getPublicKey()}" } ] }`)
    const seed = new TextDecoder().decode(user.getSeed())
    const creds = [
      '-----BEGIN NATS USER JWT-----\nnone\n------END NATS USER JWT------\n',
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------`,
    ].join('\n')
    const { transport } = open(`nats://127.0.0.1:${port}`, { credsFile: write('creds', creds) })
    await transport.connect()
    expect(transport.status).toBe('connected')
  })
})
