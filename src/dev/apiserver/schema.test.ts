import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clone, get, type JsonObject } from './json.ts'
import type { ApiServer } from './server.ts'
import { startServer, type TestClient, widget, WIDGET_CRD, WIDGETS } from './test-client.ts'

let server: ApiServer
let client: TestClient

beforeAll(async () => {
  ;({ server, client } = await startServer())
})
afterAll(() => server.stop())

/** The texts are those of kube-apiserver 1.36 for the same input. */
it.each([
  [{ flavor: '' }, 'spec.flavor: Invalid value: "": spec.flavor in body should be at least 1 chars long'],
  [{ flavor: 'x'.repeat(11) }, 'spec.flavor: Too long: may not be more than 10 bytes'],
  [{ power: 'Foo' }, 'spec.power: Unsupported value: "Foo": supported values: "On", "Off"'],
  [{ size: 0 }, 'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1'],
  [{ size: 11 }, 'spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10'],
  [{ size: 'x' }, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'],
  [{ name: 'B' }, `spec.name: Invalid value: "B": spec.name in body should match '^[a-z]+$'`],
  [{ when: 'x' }, 'spec.when: Invalid value: "x": spec.when in body must be of type date-time: "x"'],
  [
    { port: true },
    'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
  ],
  [{ tags: ['a', 'b', 'c'] }, 'spec.tags: Too many: 3: must have at most 2 items'],
  [{ tags: ['a', 'a'] }, 'spec.tags[1]: Duplicate value: "a"'],
  [{ labels: { a: 'long' } }, 'spec.labels.a: Too long: may not be more than 3 bytes'],
])('refuses %j', async (spec, message) => {
  const { code, body } = await client.create(widget('bad', spec))

  expect(code).toBe(422)
  expect(body).toMatchObject({
    reason: 'Invalid',
    details: { name: 'bad', group: 'test.dev', kind: 'Widget' },
  })
  expect(body['message']).toContain('Widget.test.dev "bad" is invalid: ')
  expect(body['message']).toContain(message)
})

it('names a missing field, and says that the rules were not run', async () => {
  const { body } = await client.create({ ...widget('bad'), spec: {} })

  expect(body['message']).toBe(
    'Widget.test.dev "bad" is invalid: [spec.flavor: Required value, <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]',
  )
})

it('refuses unknown fields under strict validation, on create and on patch', async () => {
  await client.create(widget('strict'))

  const created = await client.create(widget('s2', { foo: 1 }), '?fieldValidation=Strict')
  const patched = await client.patch('strict', { spec: { foo: 1 } }, '?fieldValidation=Strict')

  expect(created.code).toBe(400)
  expect(created.body['message']).toBe(
    'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.foo"',
  )
  expect(patched.code).toBe(422)
  expect(patched.body['message']).toContain('strict decoding error: unknown field "spec.foo"')
})

describe('CEL rules', () => {
  it('compare with the old value on update only', async () => {
    expect((await client.create(widget('cel', { flavor: 'a' }))).code).toBe(201)

    const { body } = await client.patch('cel', { spec: { flavor: 'b' } })

    expect(body['message']).toBe(
      'Widget.test.dev "cel" is invalid: spec.flavor: Invalid value: "b": flavor is immutable',
    )
  })

  it('at the root see status and speak the message expression, on writes of either part', async () => {
    await client.create(widget('p'))
    await client.patch('p', { status: { state: 'paused' } }, '/status')
    await client.create(widget('q', { power: 'Off' }))

    const stop = await client.patch('p', { spec: { power: 'Off' } })
    const pause = await client.patch('q', { status: { state: 'paused' } }, '/status')

    expect(stop.code).toBe(422)
    expect(get(stop.body, 'details', 'causes')).toEqual([
      {
        reason: 'FieldValueForbidden',
        message: "Forbidden: Cannot 'stop' p while it is in state paused",
        field: 'spec.power',
      },
    ])
    expect(pause.body['message']).toContain("Cannot 'stop' q while it is in state paused")
  })

  function crdWithRule(rule: JsonObject): JsonObject {
    const text = JSON.stringify(WIDGET_CRD).replaceAll('widgets', 'gadgets').replaceAll('Widget', 'Gadget')
    const crd = JSON.parse(text.replaceAll('"wd"', '"gd"')) as JsonObject
    const version = (get(crd, 'spec', 'versions') as JsonObject[])[0]
    ;(get(version, 'schema', 'openAPIV3Schema', 'properties', 'spec') as JsonObject)[
      'x-kubernetes-validations'
    ] = [rule]
    return crd
  }

  it.each([
    [{ rule: 'self.nosuch == 1' }, 'compilation failed'],
    [{ rule: 'self.size +' }, 'compilation failed'],
    [{ rule: 'self.flavor' }, 'cel expression must evaluate to a bool'],
    [{ rule: 'true', messageExpression: '1' }, 'messageExpression must evaluate to a string'],
  ])('that do not compile keep the CRD out: %j', async (rule, message) => {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

    const { code, body } = await client.create(crdWithRule(rule), '', path)

    expect(code).toBe(422)
    expect(body['message']).toContain('openAPIV3Schema.properties[spec].x-kubernetes-validations[0]')
    expect(body['message']).toContain(message)
  })

  it.each([
    ["self.labels.all(k, k.startsWith('x'))", { labels: { a: 'b' } }, { labels: { xa: 'b' } }],
    ["'a' in self.labels && self.labels['a'] == 'b'", { labels: {} }, { labels: { a: 'b' } }],
    ['self.nets.map(n, n.ip).exists(i, i.matches("^10[.]"))', { nets: [{}] }, { nets: [{ ip: '10.1' }] }],
    ['self.tags.size() + self.size < 4', { tags: ['a'], size: 3 }, { tags: ['a'], size: 2 }],
    [
      "self.when < timestamp('2026-01-01T00:00:00Z')",
      { when: '2026-02-01T00:00:00Z' },
      { when: '2025-02-01T00:00:00Z' },
    ],
    ['isIP(self.note)', { note: '10.0.0.256' }, { note: '10.0.0.255' }],
    ['isIP(self.note)', { note: 'fe80::1%eth0' }, { note: 'fe80::1' }],
    ['isIP(self.note)', { note: '::ffff:10.0.0.1' }, { note: '64:ff9b::10.0.0.1' }],
    ['isCIDR(self.note)', { note: '10.0.0.1/33' }, { note: '10.0.0.1/32' }],
    ['isCIDR(self.note)', { note: '10.0.0.1/024' }, { note: 'fd00::1/128' }],
    ['!has(self.name) || quantity(self.name).isLessThan(quantity("1Gi"))', { name: 'no' }, {}],
    ["type(self.port) == int ? self.port > 9 : self.port == 'http'", { port: 8 }, { port: 'http' }],
    ['self.?note.orValue("x") == "x"', { note: 'y' }, {}],
  ])('%s', async (rule, bad, good) => {
    server.installCrd(crdWithRule({ rule }))
    const path = '/apis/test.dev/v1/namespaces/default/gadgets?dryRun=All'
    const gadget = (spec: JsonObject): JsonObject => ({ ...widget('g', clone(spec)), kind: 'Gadget' })

    expect((await client.create(gadget(bad), '', path)).code).toBe(422)
    expect(await client.create(gadget(good), '', path)).toMatchObject({ code: 201 })
  })
})

describe('a CustomResourceDefinition', () => {
  it('is served from its creation to its deletion, and says it is established', async () => {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const text = JSON.stringify(WIDGET_CRD)
      .replaceAll('widgets', 'shortlived')
      .replaceAll('"Widget"', '"Shortlived"')
    const things = WIDGETS.replace('widgets', 'shortlived')

    const created = await client.create(JSON.parse(text) as JsonObject, '', path)
    const served = await client.create({ ...widget('s'), kind: 'Shortlived' }, '', things)
    await client.send('DELETE', `${path}/shortlived.test.dev`)

    expect(get(created.body, 'status', 'conditions')).toMatchObject([
      { type: 'NamesAccepted', status: 'True' },
      { type: 'Established', status: 'True' },
    ])
    expect(served.code).toBe(201)
    expect((await client.get(things)).code).toBe(404)
  })

  it('gives its new defaults to the objects that are there already', async () => {
    await client.create(widget('old'))
    const crd = clone(WIDGET_CRD)
    const version = (get(crd, 'spec', 'versions') as JsonObject[])[0]
    ;(get(version, 'schema', 'openAPIV3Schema', 'properties', 'spec', 'properties') as JsonObject)['extra'] =
      {
        type: 'string',
        default: 'yes',
      }

    server.installCrd(crd)

    expect(get((await client.get(`${WIDGETS}/old`)).body, 'spec', 'extra')).toBe('yes')
  })
})
