import { describe, expect, it } from 'vitest'
import { FlavorNotFound } from '../common/errors/flavor-and-image.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { OverQuota } from '../common/errors/scheduling.ts'
import { unreachable } from '../kube/api-error.ts'
import {
  MessageDeliveryFailure,
  MessageRefused,
  MessageUndeliverable,
  MessagingTimeout,
  NoSuchMethod,
  RemoteError,
} from '../rpc/errors.ts'
import { UnfitManifest } from '../scheduler/manifest.ts'
import { endOf } from './schedule-end.ts'

const CALL = { topic: 'scheduler', method: 'select_destinations' }

describe('a question about placement', () => {
  it.each([
    { error: new FlavorNotFound({ flavor: 'm1.none' }) },
    { error: new OverQuota({ quota: 'small', over: 'cores: 1 asked, 4 of 4 used' }) },
    { error: new InstanceNotFound({ instance: 'shop/web' }) },
  ])('was answered, and the answer is no: $error.name', ({ error }) => {
    expect(endOf(error)).toEqual({ message: error.message, exitCode: 1 })
  })

  it.each([
    { error: new UnfitManifest('it is empty'), says: /^The manifest cannot be used: it is empty$/ },
    {
      error: unreachable('GET /x', new Error('refused')),
      says: /^the Kubernetes API could not be asked: GET/,
    },
    {
      error: new MessageDeliveryFailure({ topic: 'scheduler', reason: 'no message broker' }),
      says: /^Could not send a message to scheduler: no message broker$/,
    },
    {
      error: new MessageRefused({ topic: 'scheduler', sender: 'api', subject: 's' }),
      says: /does not let api/,
    },
    {
      error: new MessageUndeliverable(CALL),
      says: /^No server answers on scheduler .*has one become the leader/,
    },
    {
      error: new MessagingTimeout({ ...CALL, timeoutMs: 1000 }),
      says: /after 1000 ms; does a nova-scheduler run/,
    },
    { error: new NoSuchMethod(CALL), says: /^Topic scheduler has no method/ },
    { error: new RemoteError({ type: 'TypeError', reason: 'oops' }), says: /^Remote error: TypeError oops$/ },
  ])('could not be asked: $error.name', ({ error, says }) => {
    expect(endOf(error)).toEqual({ message: expect.stringMatching(says), exitCode: 2 })
  })

  it('ends by a bug with its stack', () => {
    expect(endOf(new TypeError('oops'))).toBeUndefined()
  })
})
