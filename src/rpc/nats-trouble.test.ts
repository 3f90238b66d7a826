import { AuthorizationError, PermissionViolationError, TimeoutError } from '@nats-io/transport-node'
import { expect, it } from 'vitest'
import { UnusableCredentials } from './nats-credentials.ts'
import { connectTroubleOf, violationOf } from './nats-trouble.ts'

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

it.each([
  {
    error: new UnusableCredentials('the token file is empty'),
    want: { kind: 'credentials', reason: 'the token file is empty' },
  },
  {
    error: new AuthorizationError('Authorization Violation'),
    want: { kind: 'refused', reason: 'the broker refused our credentials (Authorization Violation)' },
  },
  {
    error: withCode('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'certificate required'),
    want: { kind: 'refused', reason: 'the broker refused our certificate (certificate required)' },
  },
  {
    error: withCode('SELF_SIGNED_CERT_IN_CHAIN', 'self-signed; try running Node.js with this and that'),
    want: { kind: 'untrusted', reason: "the broker's certificate is not trusted: self-signed" },
  },
  {
    error: new Error('the name is wrong', { cause: withCode('ERR_TLS_CERT_ALTNAME_INVALID', 'no') }),
    want: { kind: 'untrusted', reason: "the broker's certificate is not trusted: the name is wrong" },
  },
  {
    error: withCode('ECONNREFUSED', 'connection refused'),
    want: { kind: 'unreachable', reason: 'connection refused' },
  },
  {
    error: new Error('no connection', { cause: withCode('EPIPE', 'write EPIPE') }),
    want: { kind: 'unreachable', reason: 'no connection' },
  },
])('$error.message is $want.kind', ({ error, want }) => {
  expect(connectTroubleOf(error)).toMatchObject(want)
})

it.each([
  { error: new AuthorizationError('Authorization Violation'), costly: true },
  { error: new TimeoutError(), costly: true },
  { error: withCode('EPIPE', 'write EPIPE'), costly: true },
  { error: new Error('no connection', { cause: withCode('ECONNRESET', 'reset') }), costly: true },
  { error: withCode('ECONNREFUSED', 'connection refused'), costly: false },
  { error: withCode('ENOTFOUND', 'no such name'), costly: false },
  { error: new UnusableCredentials('the token file is empty'), costly: false },
])('$error.message gave the broker work: $costly', ({ error, costly }) => {
  expect(connectTroubleOf(error).costly).toBe(costly)
})

it('a missing right is found behind the errors around it', () => {
  const violation = new PermissionViolationError('no', 'publish', 'kilonova.cast.x')
  expect(violationOf(new Error('around', { cause: violation }))).toBe(violation)
  expect(violationOf(new Error('another'))).toBeUndefined()
})
