import { parseArgs } from 'node:util'

/** One option: `--flag value` on the command line, or the environment variable, or the default. */
export interface Option<T> {
  readonly help: string
  /** How its value is written in the help: `URL`, `SECONDS`. None for a switch. */
  readonly value?: string
  /** One letter for it, where kubectl has one: `-n`. */
  readonly letter?: string
  readonly fallback: T
  /** Reads the value; throws what is wrong with it. */
  readonly parse: (text: string) => T
}

export type Options = Readonly<Record<string, Option<unknown>>>
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never }

/** The command line cannot be used; the message says which option and why. */
export class UsageError extends Error {}

export function text(help: string, fallback: string, value = 'TEXT'): Option<string> {
  return { help, value, fallback, parse: (given) => given }
}

export function optionalText(help: string, value = 'TEXT'): Option<string | undefined> {
  return { help, value, fallback: undefined, parse: (given) => given }
}

export function flag(help: string): Option<boolean> {
  return {
    help,
    fallback: false,
    parse: (given) => {
      if (given === 'true' || given === 'false') return given === 'true'
      throw new UsageError(`'${given}' is neither true nor false`)
    },
  }
}

export function wholeNumber(help: string, fallback: number, value = 'N'): Option<number> {
  return { help, value, fallback, parse: (given) => amount(given, /^\d+$/, 'whole number') }
}

/** A whole number that cannot be 0. */
export function count(help: string, fallback: number): Option<number> {
  return {
    help,
    value: 'N',
    fallback,
    parse: (given) => amount(given, /^0*[1-9]\d*$/, 'whole number above 0'),
  }
}

/** A number of seconds, kept in milliseconds. */
export function seconds(help: string, fallbackSeconds: number): Option<number> {
  return {
    help,
    value: 'SECONDS',
    fallback: fallbackSeconds * 1000,
    parse: (given) => amount(given, /^\d+(\.\d+)?$/, 'number') * 1000,
  }
}

export function decimal(help: string, fallback: number): Option<number> {
  return { help, value: 'NUMBER', fallback, parse: (given) => amount(given, /^\d+(\.\d+)?$/, 'number') }
}

export function oneOf<const T extends string>(help: string, choices: readonly T[], fallback: T): Option<T> {
  return {
    help,
    value: choices.join('|'),
    fallback,
    parse: (given) => {
      const choice = choices.find((one) => one === given)
      if (choice === undefined) throw new UsageError(`'${given}' is none of ${choices.join(', ')}`)
      return choice
    },
  }
}

export function list(help: string, fallback: readonly string[]): Option<readonly string[]> {
  return { help, value: 'A,B,…', fallback, parse: (given) => given.split(',').filter((one) => one !== '') }
}

function amount(given: string, form: RegExp, what: string): number {
  if (!form.test(given)) throw new UsageError(`'${given}' is not a ${what}`)
  return Number(given)
}

/** `shutdownTimeout` is `--shutdown-timeout` and `KILONOVA_SHUTDOWN_TIMEOUT`. */
function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function variableOf(name: string): string {
  return `KILONOVA_${flagOf(name).replaceAll('-', '_').toUpperCase()}`
}

/**
 * Reads options. The command line goes before the environment.
 * @throws UsageError
 */
export function readOptions<O extends Options>(
  options: O,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Values<O> {
  const given = parseFlags(options, argv)
  const entries = Object.entries(options).map(([name, option]) => {
    const flagName = flagOf(name)
    const fromLine = given[flagName]
    const source = fromLine === undefined ? variableOf(name) : `--${flagName}`
    const value = fromLine ?? env[variableOf(name)]
    if (value === undefined) return [name, option.fallback]
    try {
      return [name, option.parse(value)]
    } catch (error) {
      throw new UsageError(`${source}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  })
  return Object.fromEntries(entries)
}

function parseFlags(options: Options, argv: readonly string[]): Readonly<Record<string, string | undefined>> {
  const known = Object.fromEntries(
    Object.entries(options).map(([name, { value, letter }]) => [
      flagOf(name),
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        ...(letter !== undefined && { short: letter }),
      },
    ]),
  )
  try {
    const args = withNegatives(options, argv)
    const { values } = parseArgs({ args, options: known, allowPositionals: false, strict: true })
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, `${value}`]))
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** `--flag -1` as `--flag=-1`: Node takes the number for an option, and none of ours is one. */
function withNegatives(options: Options, argv: readonly string[]): string[] {
  const takeValues = Object.entries(options).filter(([, { value }]) => value !== undefined)
  const flags = new Set(takeValues.map(([name]) => `--${flagOf(name)}`))
  const args: string[] = []
  for (const arg of argv) {
    const before = args.at(-1)
    const isValue = before !== undefined && flags.has(before) && /^-\d+(\.\d+)?$/.test(arg)
    if (isValue) args[args.length - 1] = `${before}=${arg}`
    else args.push(arg)
  }
  return args
}

/** The options as a help text shows them, one a line. */
export function describeOptions(options: Options): string {
  return Object.entries(options)
    .map(([name, option]) => {
      const letter = option.letter === undefined ? '' : `-${option.letter}, `
      const left = `${letter}--${flagOf(name)}${option.value === undefined ? '' : ` ${option.value}`}`
      const fallback = defaultText(option)
      return `  ${`${left}  `.padEnd(43)}${option.help}${fallback === '' ? '' : ` (default ${fallback})`}`
    })
    .join('\n')
}

function defaultText({ fallback, value }: Option<unknown>): string {
  if (fallback === undefined || fallback === false || fallback === '') return ''
  if (value === 'SECONDS') return `${Number(fallback) / 1000}`
  if (Array.isArray(fallback)) return fallback.join(',')
  return typeof fallback === 'string' || typeof fallback === 'number' ? `${fallback}` : ''
}
