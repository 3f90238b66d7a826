import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RequestContext } from './context.ts'
import { formatJson, formatText, levelFor, type Logger, loggerTo, type LogOptions, openLog } from './log.ts'

const TIME = new Date('2026-11-22T06:20:11.123Z')
const CTX: RequestContext = { requestId: 'req-1', user: 'alice', project: 'blue' }
const UID = '11111111-1111-4111-8111-111111111111'

type Line = Parameters<typeof formatText>[0]

function makeLine(fields: Partial<Line> = {}): Line {
  return { level: 'info', name: 'nova.compute.manager', message: 'Built instance', ...fields }
}

describe('a text line is written as oslo.log writes it', () => {
  it.each<{ name: string; line: Partial<Line>; want: string }>([
    {
      name: 'with neither request nor instance',
      line: {},
      want: 'INFO nova.compute.manager [-] Built instance',
    },
    {
      name: 'with a request',
      line: { ctx: CTX },
      want: 'INFO nova.compute.manager [req-1 alice blue] Built instance',
    },
    {
      name: 'with a global request id before ours',
      line: { ctx: { ...CTX, globalRequestId: 'req-0' } },
      want: 'INFO nova.compute.manager [req-0 req-1 alice blue] Built instance',
    },
    {
      name: 'with the instance it is about',
      line: { ctx: CTX, instance: UID },
      want: `INFO nova.compute.manager [req-1 alice blue] [instance: ${UID}] Built instance`,
    },
    {
      name: 'with an instance and no request',
      line: { instance: UID },
      want: `INFO nova.compute.manager [-] [instance: ${UID}] Built instance`,
    },
    { name: 'as WARNING', line: { level: 'warn' }, want: 'WARNING nova.compute.manager [-] Built instance' },
    { name: 'as ERROR', line: { level: 'error' }, want: 'ERROR nova.compute.manager [-] Built instance' },
    { name: 'as DEBUG', line: { level: 'debug' }, want: 'DEBUG nova.compute.manager [-] Built instance' },
    {
      name: 'with facts behind the message, quoted where they would be misread',
      line: {
        facts: {
          host: 'node-1',
          seconds: 1.5,
          on: true,
          why: 'no room',
          eq: 'a=b',
          quote: '"',
          empty: '',
          nothing: null,
          left_out: undefined,
          list: ['a', 'b'],
          nested: { a: 1 },
        },
      },
      want:
        'INFO nova.compute.manager [-] Built instance host=node-1 seconds=1.5 on=true why="no room" eq="a=b" quote="\\"" ' +
        'empty="" nothing=null list=["a","b"] nested={"a":1}',
    },
    {
      name: 'with what an error says',
      line: { facts: { error: new TypeError('x is not a function') } },
      want: 'INFO nova.compute.manager [-] Built instance error="x is not a function"',
    },
    {
      name: 'in one line, whatever the facts hold',
      line: { facts: { stack: 'Error: no\n    at f (a.ts:1)' } },
      want: 'INFO nova.compute.manager [-] Built instance stack="Error: no\\n    at f (a.ts:1)"',
    },
    {
      name: 'in one line, whatever a sender calls itself',
      line: { ctx: { ...CTX, user: 'eve\n2026-11-22 06:20:11.123 1 INFO nova [-] forged' } },
      want: 'INFO nova.compute.manager [req-1 eve\\n2026-11-22 06:20:11.123 1 INFO nova [-] forged blue] Built instance',
    },
    {
      name: 'in one line, whatever the message holds',
      line: { message: 'Two\r\nlines' },
      want: 'INFO nova.compute.manager [-] Two\\r\\nlines',
    },
  ])('$name', ({ line, want }) => {
    expect(formatText(makeLine(line), TIME, 1234)).toBe(`2026-11-22 06:20:11.123 1234 ${want}`)
  })
})

describe('a JSON line', () => {
  it('has time, pid, level and logger first, and neither request nor instance where there is none', () => {
    expect(formatJson(makeLine(), TIME, 1234)).toBe(
      '{"time":"2026-11-22T06:20:11.123Z","pid":1234,"level":"INFO","logger":"nova.compute.manager","message":"Built instance"}',
    )
  })

  it('keeps request, instance and facts as fields', () => {
    const ctx = { ...CTX, globalRequestId: 'req-0' }
    const line = makeLine({ ctx, instance: UID, facts: { seconds: 1.5, error: new Error('no\nroom') } })

    expect(JSON.parse(formatJson(line, TIME, 1234))).toEqual({
      time: '2026-11-22T06:20:11.123Z',
      pid: 1234,
      level: 'INFO',
      logger: 'nova.compute.manager',
      request_id: 'req-1',
      global_request_id: 'req-0',
      user: 'alice',
      project: 'blue',
      instance: UID,
      message: 'Built instance',
      seconds: 1.5,
      error: 'no\nroom',
    })
  })

  it('is one line', () => {
    expect(formatJson(makeLine({ facts: { stack: 'a\nb' } }), TIME, 1)).not.toContain('\n')
  })

  it.each(['time', 'pid', 'level', 'logger', 'request_id', 'user', 'project', 'instance', 'message'])(
    'is never misled about its %s by a fact of that name',
    (name) => {
      const plain = JSON.parse(formatJson(makeLine({ ctx: CTX, instance: UID }), TIME, 1))
      const line = makeLine({ ctx: CTX, instance: UID, facts: { [name]: 'forged' } })

      expect(JSON.parse(formatJson(line, TIME, 1))).toEqual(plain)
    },
  )
})

describe('the level of a logger', () => {
  const levels = { nova: 'warn', 'nova.rpc': 'debug', 'nova.rpc.server': 'error' } as const

  it.each([
    { logger: 'nova', want: 'warn' },
    { logger: 'nova.compute.manager', want: 'warn' },
    { logger: 'nova.rpc', want: 'debug' },
    { logger: 'nova.rpc.client', want: 'debug' },
    { logger: 'nova.rpc.server', want: 'error' },
    { logger: 'nova.rpcs', want: 'warn' },
    { logger: 'kube', want: 'info' },
  ])('of $logger is $want: the longest name that covers it counts', ({ logger, want }) => {
    expect(levelFor(logger, { level: 'info', levels })).toBe(want)
    const backwards = Object.fromEntries(Object.entries(levels).reverse())
    expect(levelFor(logger, { level: 'info', levels: backwards })).toBe(want)
  })

  it('is the general one where none is named', () => {
    expect(levelFor('nova.compute.manager', { level: 'debug' })).toBe('debug')
  })
})

describe('a logger', () => {
  function makeLogger(options: Partial<LogOptions> = {}): { log: Logger; said: () => string[] } {
    const lines: string[] = []
    const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'info', ...options })
    return { log, said: () => lines.map((line) => line.replace(/^\S+ \S+ \d+ /, '')) }
  }

  it('leaves out what is below its level', () => {
    const { log, said } = makeLogger({ level: 'warn' })

    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level]('hello')

    expect(said()).toEqual(['WARNING nova [-] hello', 'ERROR nova [-] hello'])
  })

  it('takes the level of the name it is given', () => {
    const { log, said } = makeLogger({ levels: { 'nova.rpc': 'debug' } })

    log.named('nova.rpc.server').debug('heard')
    log.named('nova.compute').debug('not heard')

    expect(said()).toEqual(['DEBUG nova.rpc.server [-] heard'])
  })

  it('keeps request and instance under another name, and the instance under another request', () => {
    const { log, said } = makeLogger()
    const bound = log.with(CTX, UID)

    bound.named('nova.virt').info('one')
    bound.with({ ...CTX, requestId: 'req-2' }).info('two')
    log.info('three')

    expect(said()).toEqual([
      `INFO nova.virt [req-1 alice blue] [instance: ${UID}] one`,
      `INFO nova [req-2 alice blue] [instance: ${UID}] two`,
      'INFO nova [-] three',
    ])
  })

  it('writes to its file, all of it by the time it is closed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kilonova-log-'))
    const file = join(folder, 'nova-api.log')
    const sink = openLog({ format: 'json', level: 'info', file })

    for (let n = 0; n < 100; n++) sink.logger.named('nova.api').info('Line', { n })
    await sink.close()

    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: 100 }, (_, n) => n))
    rmSync(folder, { recursive: true })
  })
})
