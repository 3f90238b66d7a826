import { TASK_STATES } from '../../src/apis/v1alpha1/states.ts'
import { LEVELS } from '../../src/conf/common.ts'
import type { Option, Options } from '../../src/conf/options.ts'
import { imageProperties } from '../../src/objects/build-request.ts'
import { FILTERS } from '../../src/scheduler/filters/registry.ts'
import { WEIGHERS } from '../../src/scheduler/weighers/registry.ts'
import { listOf, mapOf, object, type Schema } from './json-schema.ts'

/** Options that the chart sets itself, and from what. */
export const SET_BY_CHART: Readonly<Record<string, string>> = {
  logFormat: 'logging.format',
  logLevel: 'logging.level',
  logLevels: 'logging.levels',
  logFile: 'none: the log goes to standard error, the root file system is read-only',
  kubeconfig: 'none: the service account of the Pod is used',
  messaging: 'messaging.url',
  messagingTokenFile: 'messaging.tokenAudience',
  messagingCaFile: 'messaging.caConfigMap',
  messagingCredsFile: 'messaging.credsSecret',
  messagingCertFile: 'messaging.clientCertSecret',
  messagingKeyFile: 'messaging.clientCertSecret',
  messagingReplicas: 'messaging.streamReplicas',
  healthPort: 'none: 8080',
  identity: 'none: made from the name of the Pod',
  host: 'none: the node of the Pod',
  trustRequester: 'policies.enabled',
  natsKeysDir: 'none: the Secret that kilonova nats-keys makes',
  serviceAccounts: "none: the chart's own",
  tokenAudience: 'messaging.tokenAudience',
  natsAccount: "none: the one of the chart's NATS",
}

/** The values of a service's options that are an operator's to set. */
export function optionsSchema(command: string, options: Options): Schema {
  const own = Object.entries(options).filter(([name]) => !Object.hasOwn(SET_BY_CHART, name))
  const properties = own.map(([name, option]) => [name, { ...optionSchema(name, option) }] as const)
  return object(`Options of \`kilonova ${command}\`.`, Object.fromEntries(properties))
}

/** Option names whose choices only their own parser knows. */
const CHOICES: Readonly<Record<string, (help: string) => Schema>> = {
  // Of a value that is none of an enum Helm does not say what it is.
  enabledFilters: (help) =>
    listOf({ type: 'string', pattern: `^(${Object.keys(FILTERS).join('|')})$` }, help),
  weightMultipliers: (help) => {
    return object(help, Object.fromEntries(Object.keys(WEIGHERS).map((name) => [name, { type: 'number' }])))
  },
  imagePropsWeightSetting: (help) => {
    const names = Object.keys(imageProperties.shape)
    return object(help, Object.fromEntries(names.map((name) => [name, { type: 'number' }])))
  },
  taskTimeouts: (help) => {
    return object(help, Object.fromEntries(TASK_STATES.map((task) => [task, { type: 'number', minimum: 0 }])))
  },
  shelvedOffloadTime: (help) => ({ type: 'number', description: help, minimum: -1 }),
  logLevels: (help) => mapOf({ type: 'string', enum: LEVELS }, help),
}

function optionSchema(name: string, option: Option<unknown>): Schema {
  const description = describe(option)
  const chosen = CHOICES[name]
  if (chosen !== undefined) return chosen(description)
  switch (option.value) {
    case undefined:
      return { type: 'boolean', description }
    case 'N':
    case 'PORT':
      return { type: 'integer', description, ...limits(option) }
    case 'SECONDS':
    case 'NUMBER':
      return { type: 'number', description, minimum: 0 }
    case 'A,B,…':
      return listOf({ type: 'string' }, description)
    case 'TEXT':
    case 'URL':
    case 'NAME':
      return { type: 'string', description, minLength: 1 }
    default:
      if (option.value.includes('|')) return { type: 'string', description, enum: option.value.split('|') }
      throw new Error(`no schema for the option ${name}, whose value is ${option.value}`)
  }
}

function describe({ help, value, fallback }: Option<unknown>): string {
  const sentence = `${help.charAt(0).toUpperCase()}${help.slice(1)}`
  const unit = value === 'SECONDS' ? ', in seconds' : ''
  return `${sentence}${unit}.${described(value, fallback)}`
}

function described(value: string | undefined, fallback: unknown): string {
  if (value === 'SECONDS' && typeof fallback === 'number') return ` Default ${fallback / 1000}.`
  if (Array.isArray(fallback)) return ` Default ${fallback.join(', ')}.`
  const isPlain = ['string', 'number', 'boolean'].includes(typeof fallback) && fallback !== ''
  return isPlain ? ` Default ${String(fallback)}.` : ''
}

const FAR = 2 ** 30

/** The bounds of a whole number, found with the option's own parser. */
function limits(option: Option<unknown>): Pick<Schema, 'minimum' | 'maximum'> {
  const takes = (number: number): boolean => {
    try {
      option.parse(String(number))
      return true
    } catch {
      return false
    }
  }
  const minimum = [0, 1].find(takes)
  if (minimum === undefined) throw new Error(`takes neither 0 nor 1: ${option.help}`)
  if (takes(FAR)) return { minimum }
  let [low, high] = [minimum, FAR]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (takes(middle)) low = middle
    else high = middle
  }
  return { minimum, maximum: low }
}
