import { describe, expect, it } from 'vitest'
import {
  decimal,
  describeOptions,
  flag,
  list,
  oneOf,
  optionalText,
  readOptions,
  seconds,
  text,
  UsageError,
  wholeNumber,
} from './options.ts'

const OPTIONS = {
  name: text('who it is', 'nobody', 'NAME'),
  configFile: optionalText('where it is', 'FILE'),
  verbose: flag('say more'),
  nodeCount: wholeNumber('how many', 3),
  shutdownTimeout: seconds('how long', 60),
  cpuRatio: decimal('how often', 4),
  logFormat: oneOf('how', ['text', 'json'], 'text'),
  filters: list('which', ['a', 'b']),
}

const DEFAULTS = {
  name: 'nobody',
  configFile: undefined,
  verbose: false,
  nodeCount: 3,
  shutdownTimeout: 60_000,
  cpuRatio: 4,
  logFormat: 'text',
  filters: ['a', 'b'],
}

describe('options', () => {
  it('are their defaults where nothing is said', () => {
    expect(readOptions(OPTIONS, [], {})).toEqual(DEFAULTS)
  })

  it('are taken from the command line', () => {
    const argv = [
      '--name=bob',
      '--config-file',
      '/etc/k',
      '--verbose',
      '--node-count',
      '20',
      '--shutdown-timeout',
      '1.5',
      '--cpu-ratio',
      '16.0',
      '--log-format',
      'json',
      '--filters',
      'c,,d',
    ]
    expect(readOptions(OPTIONS, argv, {})).toEqual({
      name: 'bob',
      configFile: '/etc/k',
      verbose: true,
      nodeCount: 20,
      shutdownTimeout: 1500,
      cpuRatio: 16,
      logFormat: 'json',
      filters: ['c', 'd'],
    })
  })

  it('are taken from the environment', () => {
    const env = { KILONOVA_SHUTDOWN_TIMEOUT: '5', KILONOVA_VERBOSE: 'true', KILONOVA_CONFIG_FILE: '/etc/k' }
    expect(readOptions(OPTIONS, [], env)).toEqual({
      ...DEFAULTS,
      shutdownTimeout: 5000,
      verbose: true,
      configFile: '/etc/k',
    })
  })

  it('of the command line go before those of the environment, also where these are wrong', () => {
    const env = { KILONOVA_NODE_COUNT: 'many', KILONOVA_NAME: 'eve' }
    expect(readOptions(OPTIONS, ['--node-count', '5'], env)).toMatchObject({ nodeCount: 5, name: 'eve' })
  })

  it.each([
    { argv: ['--node-count', 'many'], says: "--node-count: 'many' is not a whole number" },
    { argv: ['--node-count', '1.5'], says: "--node-count: '1.5' is not a whole number" },
    { argv: ['--node-count=-1'], says: "--node-count: '-1' is not a whole number" },
    { argv: ['--shutdown-timeout', '1m'], says: "--shutdown-timeout: '1m' is not a number" },
    { argv: ['--log-format', 'xml'], says: "--log-format: 'xml' is none of text, json" },
    { argv: ['--nodes', '5'], says: "Unknown option '--nodes'" },
    { argv: ['extra'], says: "Unexpected argument 'extra'" },
    { argv: ['--name'], says: "Option '--name <value>' argument missing" },
  ])('$argv cannot be used: $says', ({ argv, says }) => {
    const read = (): unknown => readOptions(OPTIONS, argv, {})
    expect(read).toThrow(UsageError)
    expect(read).toThrow(says)
  })

  it.each([
    { env: { KILONOVA_CPU_RATIO: 'x' }, says: "KILONOVA_CPU_RATIO: 'x' is not a number" },
    { env: { KILONOVA_VERBOSE: 'yes' }, says: "KILONOVA_VERBOSE: 'yes' is neither true nor false" },
  ])('$env cannot be used: $says', ({ env, says }) => {
    expect(() => readOptions(OPTIONS, [], env)).toThrow(says)
  })

  it.each([
    { argv: ['--level', '-1'], level: '-1' },
    { argv: ['--level', '-1.5', '--verbose'], level: '-1.5' },
    { argv: ['--level=-1'], level: '-1' },
  ])('may have a negative number for their value: $argv', ({ argv, level }) => {
    const options = { ...OPTIONS, level: text('how high', '0', 'N') }
    expect(readOptions(options, argv, {})).toMatchObject({ level })
  })

  it('do not take another option for their value, nor a switch a number', () => {
    expect(() => readOptions(OPTIONS, ['--name', '--verbose'], {})).toThrow(UsageError)
    expect(() => readOptions(OPTIONS, ['--verbose', '-1'], {})).toThrow(UsageError)
    expect(() => readOptions(OPTIONS, ['-1'], {})).toThrow(UsageError)
  })

  it('may have a letter, as kubectl’s have', () => {
    const options = { ...OPTIONS, name: { ...OPTIONS.name, letter: 'n' } }
    expect(readOptions(options, ['-n', 'somebody'], {}).name).toBe('somebody')
    expect(readOptions(options, ['--name', 'somebody'], {}).name).toBe('somebody')
    expect(() => readOptions(OPTIONS, ['-n', 'somebody'], {})).toThrow(UsageError)
    expect(describeOptions(options)).toContain('-n, --name NAME')
  })

  it('are described one a line, with their defaults', () => {
    const lines = describeOptions(OPTIONS).split('\n')
    expect(lines.map((line) => line.trim().replace(/ {2,}/, ' | '))).toEqual([
      '--name NAME | who it is (default nobody)',
      '--config-file FILE | where it is',
      '--verbose | say more',
      '--node-count N | how many (default 3)',
      '--shutdown-timeout SECONDS | how long (default 60)',
      '--cpu-ratio NUMBER | how often (default 4)',
      '--log-format text|json | how (default text)',
      '--filters A,B,… | which (default a,b)',
    ])
  })
})
