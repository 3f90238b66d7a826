import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatText } from '../common/log.ts'
import { printWalk, readWalk } from './request-walk.ts'

const REQUEST = 'req-1'
const ctx = { requestId: REQUEST, user: '-', project: 'default' }

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kilonova-walk-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

type Line = Parameters<typeof formatText>[0]

/** A service's log; each line some milliseconds after the first moment. */
function writeLog(service: string, lines: readonly (Partial<Line> & { readonly ms: number })[]): string {
  const file = join(folder, `${service}.log`)
  const text = lines.map(({ ms, ...line }) => {
    const full: Line = { level: 'info', name: 'nova.compute.manager', message: 'Something', ctx, ...line }
    return `${formatText(full, new Date(Date.UTC(2026, 10, 22, 6, 0, 0, ms)), 1234)}\n`
  })
  writeFileSync(file, text.join(''))
  return file
}

describe('the walk of a request', () => {
  it('is its lines of all services in the order of their times, and no other’s', () => {
    const files = [
      writeLog('nova-api', [
        { ms: 0, message: 'Accepted', instance: 'uid', facts: { name: 'web' } },
        { ms: 1, message: 'Of another', ctx: { ...ctx, requestId: 'req-2' } },
        { ms: 2, message: 'Of none', ctx: undefined as never },
        { ms: 90, message: 'Done' },
      ]),
      writeLog('nova-compute-node-1', [
        { ms: 40, name: 'nova.virt', message: 'Built [it]', ctx: { ...ctx, globalRequestId: 'req-0' } },
      ]),
    ]

    expect(readWalk(files, REQUEST)).toEqual([
      {
        service: 'nova-api',
        time: '2026-11-22 06:00:00.000',
        logger: 'nova.compute.manager',
        message: 'Accepted name=web',
      },
      {
        service: 'nova-compute-node-1',
        time: '2026-11-22 06:00:00.040',
        logger: 'nova.virt',
        message: 'Built [it]',
      },
      {
        service: 'nova-api',
        time: '2026-11-22 06:00:00.090',
        logger: 'nova.compute.manager',
        message: 'Done',
      },
    ])
  })

  it('goes in the order of the files where times are equal', () => {
    const files = ['nova-scheduler', 'nova-api', 'nova-conductor'].map((name) =>
      writeLog(name, [{ ms: 5 }, { ms: 5 }]),
    )
    const services = readWalk(files, REQUEST).map(({ service }) => service)
    expect(services).toEqual([
      'nova-scheduler',
      'nova-scheduler',
      'nova-api',
      'nova-api',
      'nova-conductor',
      'nova-conductor',
    ])
  })

  it('passes over what is no line of a log', () => {
    const file = join(folder, 'nova-api.log')
    writeFileSync(file, `some text about ${REQUEST}\n\n    at stack (${REQUEST})\n`)
    expect(readWalk([file], REQUEST)).toEqual([])
  })

  it('is printed with the time since its first step, the services below each other', () => {
    const files = [
      writeLog('nova-api', [{ ms: 10, message: 'Accepted' }]),
      writeLog('nova-scheduler', [{ ms: 22, message: 'Selected host host=node-1' }]),
    ]
    expect(printWalk(readWalk(files, REQUEST))).toBe(
      [
        '      +0 ms  nova-api        Accepted',
        '     +12 ms  nova-scheduler  Selected host host=node-1',
      ].join('\n'),
    )
  })

  it('of nothing is printed as nothing', () => {
    expect(printWalk([])).toBe('')
  })
})
