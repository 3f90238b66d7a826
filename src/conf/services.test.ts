import { describe, expect, it } from 'vitest'
import { stepOf } from '../apis/v1alpha1/steps.ts'
import { TASK_STATES } from '../apis/v1alpha1/states.ts'
import { API_OPTIONS } from './api.ts'
import { inClusterAddress, logOptions, messagingFiles, SERVICE_OPTIONS } from './common.ts'
import { COMPUTE_OPTIONS } from './compute.ts'
import { CONDUCTOR_OPTIONS } from './conductor.ts'
import { DEV_OPTIONS } from './dev.ts'
import { describeOptions, readOptions, UsageError } from './options.ts'
import { SCHEDULER_OPTIONS } from './scheduler.ts'

describe('the services’ options', () => {
  it('have the defaults that Nova has', () => {
    const compute = readOptions(COMPUTE_OPTIONS, [], {})
    const scheduler = readOptions(SCHEDULER_OPTIONS, [], {})

    expect(compute).toMatchObject({
      computeDriver: 'kubevirt',
      shutdownTimeout: 60_000,
      maxConcurrentBuilds: 10,
      reportInterval: 10_000,
      syncPowerStateInterval: 600_000,
    })
    expect(scheduler).toMatchObject({
      enabledFilters: [
        'RequestedHostFilter',
        'ComputeFilter',
        'AvailabilityZoneFilter',
        'ComputeCapabilitiesFilter',
        'TraitsFilter',
        'ImagePropertiesFilter',
        'ServerGroupAntiAffinityFilter',
        'ServerGroupAffinityFilter',
        'DifferentHostFilter',
        'SameHostFilter',
        'ResourceFilter',
      ],
      weightMultipliers: {},
      maxAttempts: 3,
      cpuAllocationRatio: 4,
      ramAllocationRatio: 1,
      reservedHostMemoryMb: 512,
      serviceDownTime: 60_000,
    })
  })

  it.each(TASK_STATES)('give %s no time for ever, and more than its message is sent again after', (task) => {
    const api = readOptions(API_OPTIONS, [], {})
    expect(api.taskTimeouts).toEqual({})
    expect(stepOf(task).timeoutSeconds * 1000).toBeGreaterThan(api.redriveAfter)
    expect(stepOf(task).timeoutSeconds).toBeLessThanOrEqual(3600)
  })

  it('take the times of some tasks, in seconds', () => {
    const argv = ['--task-timeouts', 'spawning=3600,soft-deleting=1.5']
    expect(readOptions(API_OPTIONS, argv, {}).taskTimeouts).toEqual({
      spawning: 3_600_000,
      'soft-deleting': 1500,
    })
  })

  it.each([
    { value: 'waiting=1', says: "there is no task_state 'waiting'; there are scheduling, spawning," },
    { value: 'constructor=1', says: "there is no task_state 'constructor'" },
    { value: 'spawning', says: '--task-timeouts' },
    { value: 'spawning=soon', says: '--task-timeouts' },
    { value: 'spawning=-1', says: '--task-timeouts' },
  ])('do not take $value for the times of tasks', ({ value, says }) => {
    const read = (): unknown => readOptions(API_OPTIONS, ['--task-timeouts', value], {})
    expect(read).toThrow(UsageError)
    expect(read).toThrow(says)
  })

  it.each([
    { value: '0', ms: 0 },
    { value: '3600', ms: 3_600_000 },
    { value: '-1', ms: Number.POSITIVE_INFINITY },
  ])('offload what is shelved after $value: $ms ms', ({ value, ms }) => {
    expect(readOptions(API_OPTIONS, ['--shelved-offload-time', value], {}).shelvedOffloadTime).toBe(ms)
  })

  it('confirm and reclaim nothing by themselves, and offload at once, as Nova', () => {
    expect(readOptions(API_OPTIONS, [], {})).toMatchObject({
      resizeConfirmWindow: 0,
      reclaimInstanceInterval: 0,
      shelvedOffloadTime: 0,
    })
  })

  it('take levels by logger name, and weights by weigher', () => {
    const argv = [
      '--log-levels',
      'nova.rpc=debug,nova=warn',
      '--weight-multipliers',
      'RAMWeigher=-1.5,CPUWeigher=0,DiskWeigher=1e-7',
    ]
    expect(readOptions(SCHEDULER_OPTIONS, argv, {})).toMatchObject({
      logLevels: { 'nova.rpc': 'debug', nova: 'warn' },
      weightMultipliers: { RAMWeigher: -1.5, CPUWeigher: 0, DiskWeigher: 1e-7 },
    })
  })

  it('take the ratios of image properties', () => {
    const argv = ['--image-props-weight-setting', 'os_distro=1,hw_machine_type=-0.5']
    expect(readOptions(SCHEDULER_OPTIONS, argv, {})).toMatchObject({
      imagePropsWeightSetting: { os_distro: 1, hw_machine_type: -0.5 },
    })
  })

  it.each([
    {
      argv: ['--log-levels', 'nova.rpc'],
      says: "--log-levels: 'nova.rpc' is not NAME=LEVEL (debug, info, warn, error)",
    },
    { argv: ['--log-levels', 'nova=loud'], says: "--log-levels: 'nova=loud' is not NAME=LEVEL" },
    { argv: ['--log-levels', '=info'], says: "--log-levels: '=info' is not NAME=LEVEL" },
    {
      argv: ['--enabled-filters', 'ComputeFilter,RamFilter'],
      says: "--enabled-filters: there is no filter 'RamFilter'; there are AggregateImagePropertiesIsolation, AggregateInst",
    },
    { argv: ['--enabled-filters', 'constructor'], says: "there is no filter 'constructor'" },
    {
      argv: ['--weight-multipliers', 'PCIWeigher=1'],
      says: "there is no weigher 'PCIWeigher'; there are RAMWeigher,",
    },
    { argv: ['--weight-multipliers', 'toString=1'], says: "there is no weigher 'toString'" },
    {
      argv: ['--weight-multipliers', 'RAMWeigher=x'],
      says: "--weight-multipliers: 'x' is no multiplier of RAMWeigher; give a number",
    },
    { argv: ['--weight-multipliers', 'RAMWeigher=Infinity'], says: "'Infinity' is no multiplier" },
    { argv: ['--weight-multipliers', 'RAMWeigher'], says: "--weight-multipliers: '' is no multiplier" },
    {
      argv: ['--image-props-weight-setting', 'os_version=1'],
      says: "--image-props-weight-setting: there is no image property 'os_version'; there are hw_architecture,",
    },
    {
      argv: ['--image-props-weight-setting', 'os_distro=much'],
      says: "--image-props-weight-setting: 'much' is no ratio",
    },
    { argv: ['--max-attempts', '0'], says: "--max-attempts: '0' is not between 1 and 16" },
    { argv: ['--max-attempts', '17'], says: "--max-attempts: '17' is not between 1 and 16" },
  ])('$argv cannot be used: $says', ({ argv, says }) => {
    const read = (): unknown => readOptions(SCHEDULER_OPTIONS, argv, {})
    expect(read).toThrow(UsageError)
    expect(read).toThrow(says)
  })

  it.each([
    { service: 'api', options: API_OPTIONS },
    { service: 'scheduler', options: SCHEDULER_OPTIONS },
    { service: 'conductor', options: CONDUCTOR_OPTIONS },
    { service: 'compute', options: COMPUTE_OPTIONS },
    { service: 'dev', options: DEV_OPTIONS },
  ])('of $service are all in its help, each with a word on what it is for', ({ options }) => {
    const lines = describeOptions(options).split('\n')
    expect(lines).toHaveLength(Object.keys(options).length)
    for (const line of lines) expect(line).toMatch(/^ {2}--[a-z-]+( \S+)? {2,}\S.*/)
  })
})

it('a log has no file unless one is named', () => {
  const conf = readOptions(SERVICE_OPTIONS, [], {})
  expect(logOptions(conf)).toEqual({ format: 'text', level: 'info', levels: {} })
  expect(logOptions({ ...conf, logFile: 'a.log' })).toEqual({
    format: 'text',
    level: 'info',
    levels: {},
    file: 'a.log',
  })
})

it.each([
  {
    env: { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' },
    want: { host: '10.0.0.1', port: '443' },
  },
  { env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, want: undefined },
  { env: {}, want: undefined },
])('in $env the API server is at $want', ({ env, want }) => {
  expect(inClusterAddress(env)).toEqual(want)
})

it.each([
  {
    url: 'http://nats:4222',
    says: "--messaging: 'http://nats:4222' is no URL of a message broker, such as nats://",
  },
  { url: 'nats:4222', says: "--messaging: 'nats:4222' is no URL" },
  { url: '', says: "--messaging: '' is no URL" },
  { url: 'http://nova:s3cret@nats:4222', says: "--messaging: '…@nats:4222' is no URL" },
  { url: 'nats:nova:s3cret@nats:4222', says: "--messaging: '…@nats:4222' is no URL" },
  { url: 'nova:s3cret@nats:4222', says: "--messaging: '…@nats:4222' is no URL" },
])('$url is no message broker', ({ url, says }) => {
  const read = (): unknown => readOptions(SERVICE_OPTIONS, [`--messaging=${url}`], {})
  expect(read).toThrow(UsageError)
  expect(read).toThrow(says)
})

it.each(['--messaging-cert-file', '--messaging-key-file'])('%s alone is refused', (option) => {
  const conf = readOptions(SERVICE_OPTIONS, [option, 'a.pem'], {})
  expect(() => messagingFiles(conf)).toThrow(UsageError)
})

it('the files for the broker are those of the options', () => {
  const argv = ['token', 'ca', 'creds', 'cert', 'key'].flatMap((one) => [
    `--messaging-${one}-file`,
    `/x/${one}`,
  ])
  expect(messagingFiles(readOptions(SERVICE_OPTIONS, argv, {}))).toEqual({
    tokenFile: '/x/token',
    caFile: '/x/ca',
    credsFile: '/x/creds',
    certFile: '/x/cert',
    keyFile: '/x/key',
  })
})
