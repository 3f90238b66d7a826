import { describe, expect, it } from 'vitest'
import * as novaErrors from '../common/errors.ts'
import { InstanceInvalidState, MaxRetriesExceeded, NovaError } from '../common/errors.ts'
import * as stateErrors from '../common/state-errors.ts'
import { ERRORS, fromRecord, toRecord } from './error-wire.ts'
import * as rpcErrors from './errors.ts'
import { RemoteError } from './errors.ts'

const classes = Object.entries({ ...novaErrors, ...stateErrors, ...rpcErrors }).filter(
  ([, value]) => typeof value === 'function' && value.prototype instanceof NovaError,
)

describe('the registry of errors', () => {
  it.each(classes)('knows %s', (name, errorClass) => {
    expect(ERRORS[name]).toBe(errorClass)
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
