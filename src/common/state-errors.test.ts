import { describe, expect, it } from 'vitest'
import { NovaError } from './errors.ts'
import * as errors from './state-errors.ts'
import {
  CannotMigrateToSameHost,
  CannotResizeDisk,
  ComputeHostNotFound,
  ComputeServiceInUse,
  GuestVanished,
  ImageConflict,
  ImageUnacceptable,
  InstanceIsLocked,
  InstanceNotReady,
  ServiceUnavailable,
} from './state-errors.ts'

const instance = 'uid-1'
const host = 'node-1'

/** What each says, and the code that Nova's API would answer with. */
const CASES: readonly { readonly error: NovaError; readonly message: string; readonly code: number }[] = [
  { error: new InstanceIsLocked({ instance }), message: 'Instance uid-1 is locked', code: 409 },
  {
    error: new InstanceNotReady({ instance, reason: 'it has no host' }),
    message: 'Instance uid-1 is not ready: it has no host',
    code: 409,
  },
  {
    error: new ServiceUnavailable({ instance, host, method: 'resize' }),
    message:
      "Cannot 'resize' instance uid-1: its host node-1 is down. Evacuate the instance, or bring the host back first.",
    code: 409,
  },
  {
    error: new ComputeServiceInUse({ host }),
    message:
      'Compute service of node-1 is still in use: instances are evacuated from a host that is down. Migrate them, or say that it is down by spec.forcedDown of its ComputeNode.',
    code: 400,
  },
  {
    error: new CannotMigrateToSameHost({ instance, host }),
    message: 'Cannot migrate instance uid-1 to node-1: that is the host it is on.',
    code: 400,
  },
  {
    error: new CannotResizeDisk({ instance, fromGb: 20, toGb: 10 }),
    message: 'Instance uid-1 has a disk of 20 GiB, which cannot be resized to 10 GiB: disks do not shrink.',
    code: 400,
  },
  {
    error: new ComputeHostNotFound({ host }),
    message: 'Compute host node-1 could not be found.',
    code: 404,
  },
  {
    error: new GuestVanished({ instance, host }),
    message:
      'The guest of instance uid-1 is gone from node-1: its VirtualMachine was removed. Rebuild the instance, or delete it.',
    code: 500,
  },
  {
    error: new ImageUnacceptable({ image: 'cirros', reason: 'it names no source' }),
    message: 'Image cirros is unacceptable: it names no source',
    code: 400,
  },
  {
    error: new ImageConflict({ image: 'cirros' }),
    message: 'Image cirros exists already: give the new one another name.',
    code: 409,
  },
]

describe.each(CASES)('$error.name', ({ error, message, code }) => {
  it('says what happened and what to do next; trying again does not help', () => {
    expect(error).toMatchObject({ message, outcome: 'terminal', code, name: error.constructor.name })
  })

  it('is made again from its details alone, as they come out of JSON', () => {
    const again = Reflect.construct(error.constructor, [JSON.parse(JSON.stringify(error.details))])
    expect(again).toEqual(error)
  })
})

it('every class of ours is in the table above', () => {
  const isOurs = (value: unknown): boolean =>
    typeof value === 'function' && value.prototype instanceof NovaError
  const names = Object.entries(errors).flatMap(([name, value]) => (isOurs(value) ? [name] : []))
  expect(CASES.map(({ error }) => error.name).toSorted()).toEqual(names.toSorted())
})
