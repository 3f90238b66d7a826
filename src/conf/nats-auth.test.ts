import { describe, expect, it } from 'vitest'
import { NATS_AUTH_OPTIONS } from './nats-auth.ts'
import { NATS_KEYS_OPTIONS } from './nats-keys.ts'
import { describeOptions, readOptions, UsageError } from './options.ts'

describe('the service accounts of nats-auth', () => {
  const read = (given: string): unknown =>
    readOptions(NATS_AUTH_OPTIONS, ['--service-accounts', given], {}).serviceAccounts

  it('are users of Kubernetes, each of one service', () => {
    expect(read('api=kilonova-system/kilonova-api,compute=kilonova-system/kilonova.compute')).toEqual(
      new Map([
        ['system:serviceaccount:kilonova-system:kilonova-api', 'api'],
        ['system:serviceaccount:kilonova-system:kilonova.compute', 'compute'],
      ]),
    )
  })

  it.each([
    { given: '', says: "'' is none of api, scheduler," },
    { given: 'root=default/root', says: "'root' is none of api, scheduler," },
    { given: 'api', says: "'' is not NAMESPACE/NAME" },
    { given: 'api=kilonova-api', says: "'kilonova-api' is not NAMESPACE/NAME" },
    { given: 'api=a/b/c', says: "'a/b/c' is not NAMESPACE/NAME" },
    { given: 'api=a/b:c', says: "'a/b:c' is not NAMESPACE/NAME" },
    { given: 'api=a/b,scheduler=a/b', says: 'a/b is given twice' },
  ])('are not $given', ({ given, says }) => {
    const reading = (): unknown => read(given)
    expect(reading).toThrow(UsageError)
    expect(reading).toThrow(`--service-accounts: ${says}`)
  })
})

it.each([
  { command: 'nats-auth', options: NATS_AUTH_OPTIONS },
  { command: 'nats-keys', options: NATS_KEYS_OPTIONS },
])('the options of $command are all in its help, each with a word on what it is for', ({ options }) => {
  const lines = describeOptions(options).split('\n')
  expect(lines).toHaveLength(Object.keys(options).length)
  for (const line of lines) expect(line).toMatch(/^ {2}--[a-z-]+( \S+)? {2,}\S.*/)
})
