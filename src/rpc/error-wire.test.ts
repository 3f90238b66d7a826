import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { InstanceInvalidState } from '../common/errors/instance-state.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { MaxRetriesExceeded } from '../common/errors/scheduling.ts'
import { ERRORS, fromRecord, toRecord } from './error-wire.ts'
import { RemoteError } from './errors.ts'

const COMMON = new URL('../common/errors/', import.meta.url)
const MODULES = readdirSync(COMMON).flatMap((file) =>
  file.endsWith('.test.ts') ? [] : [new URL(file, COMMON).href],
)
MODULES.push(new URL('errors.ts', import.meta.url).href)

const isError = (value: unknown): boolean =>
  typeof value === 'function' && value.prototype instanceof NovaError

describe('the registry of errors', () => {
  it.each(MODULES)('knows what %s has', async (module) => {
    const all: Readonly<Record<string, unknown>> = await import(module)
    const classes = Object.entries(all).filter(([, value]) => isError(value))
    expect(ERRORS).toMatchObject(Object.fromEntries(classes))
  })

  it('holds classes of errors alone', () => {
    expect(Object.entries(ERRORS).filter(([, value]) => !isError(value))).toEqual([])
  })
})

describe('an error on the wire', () => {
  const cross = (error: unknown): Error => fromRecord(JSON.parse(JSON.stringify(toRecord(error))), ERRORS)

  it('arrives as its own class', () => {
    const sent = new InstanceInvalidState({
      instance: 'i',
      method: 'stop',
      attr: 'vm_state',
      state: 'paused',
    })

    const arrived = cross(sent)

    expect(arrived).toBeInstanceOf(InstanceInvalidState)
    expect(arrived).toMatchObject({
      message: sent.message,
      details: sent.details,
      name: 'InstanceInvalidState',
    })
  })

  it.each([
    { what: 'a plain error', error: new TypeError('x is not a function'), type: 'TypeError' },
    { what: 'a thrown string', error: 'x is not a function', type: 'Error' },
  ])('arrives as RemoteError when it is $what', ({ error, type }) => {
    expect(cross(error)).toMatchObject({
      name: 'RemoteError',
      details: { type, reason: 'x is not a function' },
    })
  })

  it('stays the same RemoteError when it is passed on', () => {
    const first = cross(new TypeError('x'))
    expect(cross(first)).toEqual(first)
  })

  it.each([
    { what: 'a class we do not have', name: 'QuotaExceeded' },
    { what: 'a name every object has', name: 'constructor' },
    { what: 'details our class cannot read', name: MaxRetriesExceeded.name },
  ])('arrives as RemoteError when it is of $what', ({ name }) => {
    const arrived = fromRecord({ name, message: 'no', details: {} }, ERRORS)

    expect(arrived).toBeInstanceOf(RemoteError)
    expect(arrived).toMatchObject({ details: { type: name, reason: 'no' } })
  })
})
