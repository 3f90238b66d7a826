import { describe, expect, it } from 'vitest'
import { API_OPTIONS } from '../../src/conf/api.ts'
import { COMPUTE_OPTIONS } from '../../src/conf/compute.ts'
import { CONDUCTOR_OPTIONS } from '../../src/conf/conductor.ts'
import { NATS_AUTH_OPTIONS } from '../../src/conf/nats-auth.ts'
import {
  decimal,
  flag,
  list,
  oneOf,
  optionalText,
  type Option,
  seconds,
  text,
  wholeNumber,
} from '../../src/conf/options.ts'
import { SCHEDULER_OPTIONS } from '../../src/conf/scheduler.ts'
import { optionsSchema, SET_BY_CHART } from './option-schema.ts'

const SERVICES = { API_OPTIONS, COMPUTE_OPTIONS, CONDUCTOR_OPTIONS, NATS_AUTH_OPTIONS, SCHEDULER_OPTIONS }

describe('the schema of options', () => {
  it.each(Object.entries(SERVICES))(
    'has every one of %s that the chart does not set itself',
    (_, options) => {
      const values = Object.keys(optionsSchema('any', options).properties ?? {})
      const set = Object.keys(options).filter((name) => Object.hasOwn(SET_BY_CHART, name))
      expect([...values, ...set].toSorted()).toEqual(Object.keys(options).toSorted())
    },
  )

  it('knows of no option that is none', () => {
    const known = new Set(Object.values(SERVICES).flatMap((options) => Object.keys(options)))
    expect(Object.keys(SET_BY_CHART).filter((name) => !known.has(name))).toEqual([])
  })

  it.each<{ option: Option<unknown>; schema: object }>([
    { option: text('who', 'me'), schema: { type: 'string', description: 'Who. Default me.', minLength: 1 } },
    { option: flag('say more'), schema: { type: 'boolean', description: 'Say more. Default false.' } },
    { option: wholeNumber('n', 0), schema: { type: 'integer', description: 'N. Default 0.', minimum: 0 } },
    {
      option: seconds('how long', 1.5),
      schema: { type: 'number', description: 'How long, in seconds. Default 1.5.', minimum: 0 },
    },
    {
      option: decimal('how often', 4),
      schema: { type: 'number', description: 'How often. Default 4.', minimum: 0 },
    },
    {
      option: oneOf('how', ['a', 'b'], 'a'),
      schema: { type: 'string', description: 'How. Default a.', enum: ['a', 'b'] },
    },
    {
      option: list('which', ['a', 'b']),
      schema: { type: 'array', description: 'Which. Default a, b.', items: { type: 'string' } },
    },
    { option: optionalText('where'), schema: { type: 'string', description: 'Where.', minLength: 1 } },
  ])('makes $schema of an option', ({ option, schema }) => {
    expect(optionsSchema('any', { option }).properties).toEqual({ option: schema })
  })

  it('finds the bounds of a number with its own parser', () => {
    const { properties = {} } = optionsSchema('scheduler', SCHEDULER_OPTIONS)
    expect(properties['maxAttempts']).toMatchObject({ minimum: 1, maximum: 16 })
    expect(properties['schedulerConcurrency']).toMatchObject({ minimum: 1 })
    expect(properties['schedulerConcurrency']).not.toHaveProperty('maximum')
  })

  it('refuses to guess at a kind of option that it does not know', () => {
    const option = { ...text('what', ''), value: 'COLOUR' }
    expect(() => optionsSchema('any', { option })).toThrow('no schema for the option option')
  })
})
