import { DEFAULT_FILTERS, FILTERS, REQUIRED_FILTERS } from '../scheduler/filters/registry.ts'
import { type ImageProperties, imageProperties } from '../objects/build-request.ts'
import { WEIGHERS } from '../scheduler/weighers/registry.ts'
import { QUEUE_SETTINGS, SERVICE_OPTIONS } from './common.ts'
import {
  count,
  decimal,
  list,
  oneOf,
  type Option,
  seconds,
  text,
  UsageError,
  type Values,
  wholeNumber,
} from './options.ts'

function filters(help: string): Option<readonly string[]> {
  const names = list(help, DEFAULT_FILTERS)
  return {
    ...names,
    parse: (given) => {
      const chosen = names.parse(given)
      const unknown = chosen.find((name) => !Object.hasOwn(FILTERS, name))
      if (unknown !== undefined) {
        throw new UsageError(`there is no filter '${unknown}'; there are ${Object.keys(FILTERS).join(', ')}`)
      }
      return chosen
    },
  }
}

/** `RAMWeigher=2,DiskWeigher=0`: what is not named keeps its default. */
function multipliers(
  help: string,
  {
    thing,
    names,
    number: what,
  }: { readonly thing: string; readonly names: readonly string[]; readonly number: string },
): Option<Readonly<Record<string, number>>> {
  return {
    help,
    value: 'NAME=NUMBER,…',
    fallback: {},
    parse: (given) =>
      Object.fromEntries(
        given.split(',').map((pair) => {
          const [name = '', number = ''] = pair.split('=')
          if (!names.includes(name)) {
            throw new UsageError(`there is no ${thing} '${name}'; there are ${names.join(', ')}`)
          }
          const value = number.trim() === '' ? Number.NaN : Number(number)
          if (!Number.isFinite(value)) {
            throw new UsageError(`'${number}' is no ${what} of ${name}; give a number, such as 2, 0.5 or -1`)
          }
          return [name, value]
        }),
      ),
  }
}

type Architecture = ImageProperties['hw_architecture']

function architecture(help: string): Option<Architecture> {
  const one = oneOf(help, imageProperties.shape.hw_architecture.unwrap().options, 'x86_64')
  return { ...one, fallback: undefined }
}

/** As many hosts as the status of an instance can name that failed to build it. */
const MOST_ATTEMPTS = 16

function attempts(help: string, fallback: number): Option<number> {
  const number = wholeNumber(help, fallback)
  return {
    ...number,
    parse: (given) => {
      const count = number.parse(given)
      if (count >= 1 && count <= MOST_ATTEMPTS) return count
      throw new UsageError(`'${given}' is not between 1 and ${MOST_ATTEMPTS}`)
    },
  }
}

/** What the scheduler itself is told. Names and defaults are Nova's. */
export const SCHEDULER_SETTINGS = {
  enabledFilters: filters(`the filters, in the order they run; ${REQUIRED_FILTERS.join(' and ')} always do`),
  weightMultipliers: multipliers('how much each weigher counts; negative stacks instead of spreading', {
    thing: 'weigher',
    names: Object.keys(WEIGHERS),
    number: 'multiplier',
  }),
  imagePropsWeightSetting: multipliers(
    'how much each image property counts, for ImagePropertiesWeigher, and others not; all alike if none is named',
    { thing: 'image property', names: Object.keys(imageProperties.shape), number: 'ratio' },
  ),
  maxInstancesPerHost: wholeNumber('instances a host may have, for NumInstancesFilter', 50),
  maxIoOpsPerHost: wholeNumber('instances a host may be building or moving at once, for IoOpsFilter', 8),
  imagePropertiesDefaultArchitecture: architecture(
    'architecture of images that name none, for ImagePropertiesFilter; any where this is unset',
  ),
  isolatedHosts: list('hosts that are apart, for IsolatedHostsFilter', []),
  isolatedImages: list('images that only go to isolated hosts', []),
  restrictIsolatedHosts: oneOf('whether isolated hosts take no other image', ['true', 'false'], 'true'),
  maxAttempts: attempts('hosts a build is sent to at most', 3),
  cpuAllocationRatio: decimal('how often a CPU may be booked, where a ComputeNode does not say', 4),
  ramAllocationRatio: decimal('how often memory may be booked', 1),
  diskAllocationRatio: decimal('how often disk may be booked', 1),
  reservedHostCpus: wholeNumber('CPUs kept for the host', 0),
  reservedHostMemoryMb: wholeNumber('MiB of memory kept for the host', 512),
  reservedHostDiskMb: wholeNumber('MiB of disk kept for the host', 0),
  countPods: oneOf('whether what other Pods on a node ask for is not booked', ['true', 'false'], 'true'),
  serviceDownTime: seconds('after how long without a heartbeat an agent is down', 60),
  schedulerConcurrency: count('builds that are worked on at once', 32),
  leaseDuration: seconds('how long the other replicas wait for a leader that fell silent', 15),
  leaseNamespace: text('namespace of the leader election lease', 'default'),
}

export const SCHEDULER_OPTIONS = { ...SERVICE_OPTIONS, ...QUEUE_SETTINGS, ...SCHEDULER_SETTINGS }
export type SchedulerSettings = Values<typeof SCHEDULER_SETTINGS>
