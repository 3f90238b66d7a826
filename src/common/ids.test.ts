import { describe, expect, it } from 'vitest'
import { newRequestId, requestIdOf, uuidV5 } from './ids.ts'

const DNS = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'
const URL_NAMESPACE = '6ba7b811-9dad-11d1-80b4-00c04fd430c8'
const UID = '11111111-1111-4111-8111-111111111111'

describe('a UUIDv5', () => {
  it.each([
    {
      from: 'RFC 9562, appendix A.4',
      namespace: DNS,
      name: 'www.example.com',
      want: '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    },
    {
      from: "Python's documentation",
      namespace: DNS,
      name: 'python.org',
      want: '886313e1-3b8a-5372-9b90-0c9aee199e5d',
    },
    {
      from: 'another namespace',
      namespace: URL_NAMESPACE,
      name: 'https://www.w3.org/',
      want: 'c106a26a-21bb-5538-8bf2-57095d1976c1',
    },
  ])('is the one that $from gives', ({ namespace, name, want }) => {
    expect(uuidV5(namespace, name)).toBe(want)
  })
})

describe('the request id of a change', () => {
  it('is req- and a UUIDv5', () => {
    expect(requestIdOf(UID, 1)).toMatch(
      /^req-[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
    )
  })

  it('never changes: a new leader, or a new release, carries on the same request', () => {
    expect(requestIdOf(UID, 1)).toBe(requestIdOf(UID, 1))
    expect(requestIdOf(UID, 1)).toBe('req-e08d5f63-86ae-5840-b2ca-94bbead68c7e')
  })

  it('differs for another generation, for another instance, and where the two could run together', () => {
    const ids = [requestIdOf(UID, 1), requestIdOf(UID, 2), requestIdOf(UID, 11), requestIdOf(`${UID}1`, 1)]
    expect(new Set(ids).size).toBe(ids.length)
  })
})

it('a request id of a service’s own work comes from its generator', () => {
  expect(newRequestId({ uuid: () => UID })).toBe(`req-${UID}`)
})
