import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { API_OPTIONS } from '../../src/conf/api.ts'
import { CATALOGUE_OPTIONS } from '../../src/conf/catalogue.ts'
import { CHECK_OPTIONS } from '../../src/conf/check.ts'
import { COMPUTE_OPTIONS } from '../../src/conf/compute.ts'
import { CONDUCTOR_OPTIONS } from '../../src/conf/conductor.ts'
import { NATS_AUTH_OPTIONS } from '../../src/conf/nats-auth.ts'
import { NATS_KEYS_OPTIONS } from '../../src/conf/nats-keys.ts'
import { NATS_RELOAD_OPTIONS } from '../../src/conf/nats-reload.ts'
import { type Options, readOptions } from '../../src/conf/options.ts'
import { SCHEDULER_OPTIONS } from '../../src/conf/scheduler.ts'
import { CommandLine } from './command.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { kilonovaCrdFiles } from './parts/crds.ts'
import { setupNeeded } from './setup-needed.ts'

const CHART = join(import.meta.dirname, '../../charts/kilonova')
const VALUES = readdirSync(join(CHART, 'ci')).map((file) => file.replace(/-values\.yaml$/, ''))
const NAMESPACE = 'kilonova-system'
const RENDER = ['template', 'kilonova', CHART, `--namespace=${NAMESPACE}`, '--kube-version=1.36.0']

/** What a container is started with, and the options it knows. */
const COMMANDS: Readonly<Record<string, Options>> = {
  api: API_OPTIONS,
  scheduler: SCHEDULER_OPTIONS,
  conductor: CONDUCTOR_OPTIONS,
  compute: COMPUTE_OPTIONS,
  'nats-auth': NATS_AUTH_OPTIONS,
  'nats-keys': NATS_KEYS_OPTIONS,
  'nats-reload': NATS_RELOAD_OPTIONS,
  catalogue: CATALOGUE_OPTIONS,
  check: CHECK_OPTIONS,
}

const variable = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.unknown().optional(),
})
const podSpec = z.looseObject({
  volumes: z.array(z.unknown()).optional(),
  containers: z.array(z.looseObject({ name: z.string(), args: z.array(z.string()), env: z.array(variable) })),
})
const template = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
  spec: podSpec,
})
const manifest = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })
const workload = z.looseObject({
  spec: z.looseObject({
    template,
    volumeClaimTemplates: z
      .array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) }))
      .optional(),
  }),
})
const deployment = z.looseObject({ spec: z.looseObject({ strategy: z.unknown() }) })
const cronJob = z.looseObject({ spec: z.looseObject({ jobTemplate: workload }) })

interface Pod {
  readonly name: string
  readonly pod: z.infer<typeof template>
}

/** As much of the Prometheus operator's definition as we write. */
const SERVICE_MONITORS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                required: ['endpoints', 'selector'],
                properties: {
                  endpoints: {
                    type: 'array',
                    items: {
                      type: 'object',
                      properties: Object.fromEntries(
                        ['port', 'path', 'interval'].map((name) => [name, { type: 'string' }]),
                      ),
                    },
                  },
                  selector: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                  podTargetLabels: { type: 'array', items: { type: 'string' } },
                },
              },
            },
          },
        },
      },
    ],
  },
}

const needed = setupNeeded()

describe.skipIf(needed !== undefined)('the chart', () => {
  let folder: string
  let offline: CommandLine
  let plane: ControlPlane
  let cluster: CommandLine

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kilonova-chart-'))
    offline = new CommandLine(folder)
    plane = await startControlPlane()
    cluster = new CommandLine(folder, plane.kubeconfigPath)
    await cluster.must('kubectl', ['create', 'namespace', NAMESPACE])
    const enforce = 'pod-security.kubernetes.io/enforce=restricted'
    await cluster.must('kubectl', ['label', 'namespace', NAMESPACE, enforce])
    await cluster.must('kubectl', ['create', ...kilonovaCrdFiles().map((file) => `--filename=${file}`)])
    await cluster.must('kubectl', ['create', '--filename=-'], JSON.stringify(SERVICE_MONITORS))
  })
  afterAll(async () => {
    await plane?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const valuesOf = (name: string): string => `--values=${join(CHART, 'ci', `${name}-values.yaml`)}`
  const renderAnew = (name: string): Promise<string> => offline.must('helm', [...RENDER, valuesOf(name)])
  const rendered = new Map<string, Promise<string>>()
  const render = (name: string): Promise<string> => {
    const known = rendered.get(name) ?? renderAnew(name)
    rendered.set(name, known)
    return known
  }

  describe.each(VALUES)('with the values of %s', (name) => {
    it('passes helm lint --strict', async () => {
      const args = ['lint', '--strict', '--kube-version=1.36.0', CHART, valuesOf(name)]
      expect(await offline.must('helm', args)).toContain('1 chart(s) linted, 0 chart(s) failed')
    })

    it('is the same each time', async () => {
      expect(await renderAnew(name)).toBe(await render(name))
    })

    it('is what the API server takes', async () => {
      const applied = await cluster.must(
        'kubectl',
        ['apply', '--dry-run=server', '--validate=strict', '--filename=-'],
        await render(name),
      )
      const lines = applied.trim().split('\n')
      expect(lines.filter((line) => !line.endsWith('(server dry run)'))).toEqual([])
      expect(lines.length).toBe(objectsOf(await render(name)).length)
    })

    it('makes Pods that the restricted Pod Security Standard lets in', async () => {
      const pods = podsOf(await render(name)).map(({ name: own, pod }) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...pod.metadata, name: `${own}-pod`, namespace: NAMESPACE },
        spec: pod.spec,
      }))
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods })
      const created = await cluster.must('kubectl', ['create', '--dry-run=server', '--filename=-'], list)
      expect(created.trim().split('\n').length).toBe(pods.length)
    })

    it('tells each service only what it knows', async () => {
      const services = podsOf(await render(name)).flatMap(({ pod }) =>
        pod.spec.containers.filter((container) => container.name !== 'nats'),
      )
      expect(services.length).toBeGreaterThan(4)
      for (const { args, env } of services) {
        const options = COMMANDS[args[0] ?? '']
        expect(options, `a command ${args.join(' ')}`).toBeDefined()
        const own = env.filter((one) => one.name.startsWith('KILONOVA_'))
        const unknown = own
          .map((one) => optionOf(one.name))
          .filter((one) => !Object.hasOwn(options ?? {}, one))
        expect(unknown, `options of ${args.join(' ')}`).toEqual([])
        expect(new Set(env.map((one) => one.name)).size).toBe(env.length)
        const set = Object.fromEntries(own.map((one) => [one.name, one.value ?? 'node-1']))
        expect(() => readOptions(options ?? {}, [], set)).not.toThrow()
      }
    })
  })

  it('hands every kind of option on as it was set', async () => {
    const env = (name: string, text: string): Record<string, string> => {
      const container = podsOf(text)
        .flatMap(({ pod }) => pod.spec.containers)
        .find((one) => one.name === name)
      return Object.fromEntries(container?.env.map((one) => [one.name, one.value ?? '']) ?? [])
    }
    const text = await render('options')
    expect(readOptions(API_OPTIONS, [], env('api', text))).toMatchObject({
      keepFinishedActions: 6_048_000_000,
      redriveAfter: 12_500,
      apiConcurrency: 64,
      leaseNamespace: 'kube-system',
      messaging: 'tls://kilonova-nats.kilonova-system.svc:4222',
      messagingReplicas: 3,
    })
    expect(readOptions(SCHEDULER_OPTIONS, [], env('scheduler', text))).toMatchObject({
      enabledFilters: ['ComputeFilter', 'ResourceFilter'],
      weightMultipliers: { RAMWeigher: -1.5, CPUWeigher: 0, ImagePropertiesWeigher: 2 },
      imagePropsWeightSetting: { os_distro: 1, hw_machine_type: -0.5 },
      cpuAllocationRatio: 16.5,
      maxAttempts: 5,
      reservedHostMemoryMb: 1_048_576,
      leaseNamespace: NAMESPACE,
    })
    expect(readOptions(CONDUCTOR_OPTIONS, [], env('conductor', text))).toMatchObject({ ackWait: 60_000 })
    expect(readOptions(COMPUTE_OPTIONS, [], env('compute', text))).toMatchObject({ computeDriver: 'fake' })
    expect(readOptions(NATS_AUTH_OPTIONS, [], env('nats-auth', text))).toMatchObject({ maxSession: 600_000 })
    const logs = env('compute', await render('json-logs'))
    expect(readOptions(COMPUTE_OPTIONS, [], logs)).toMatchObject({
      logFormat: 'json',
      logLevel: 'debug',
      logLevels: { 'nova.rpc': 'warn', 'nova.compute': 'debug' },
    })
  })

  it('lets the scheduler read images where a weigher asks for them, and nowhere else', async () => {
    const rules = async (values: string): Promise<string> => {
      const objects = objectsOf(await render(values))
      const role = objects.find(
        ({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === 'kilonova-scheduler',
      )
      return JSON.stringify(role?.['rules'])
    }
    expect(await rules('options')).toContain('"resources":["images"],"verbs":["list","watch"]')
    expect(await rules('json-logs')).not.toContain('images')
  })

  it('has no part of its NATS where an own one is used', async () => {
    const objects = objectsOf(await render('own-nats'))
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(names.filter((one) => one.includes('nats'))).toEqual([])
    const text = await render('own-nats')
    expect(text).toContain('value: "tls://nats-0.nats.example:4222,nats-1.nats.example:4222"')
    expect(text).not.toContain('serviceAccountToken')
  })

  it('packs to the same chart, without what is only for testing it', async () => {
    await offline.must('helm', ['package', CHART, `--destination=${folder}`])
    const [packed = ''] = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
    const args = RENDER.map((one) => (one === CHART ? join(folder, packed) : one))
    expect(await offline.must('helm', args)).toBe(await render('default'))
  })

  it.each(['charts/kilonova/README.md', 'docs/install.md', 'docs/metrics.md'])(
    'takes the values that %s shows',
    async (page) => {
      const shown = valuesShownIn(join(import.meta.dirname, '../..', page))
      expect(shown.length).toBeGreaterThan(0)
      for (const [index, values] of shown.entries()) {
        const file = join(folder, `shown-${index}.yaml`)
        writeFileSync(file, values)
        expect(await offline.must('helm', [...RENDER, `--values=${file}`])).toContain('kind: Deployment')
      }
    },
  )

  it('takes the values of the end-to-end tests, which need Docker', async () => {
    const values = join(import.meta.dirname, '../../hack/e2e/values.yaml')
    expect(await offline.must('helm', [...RENDER, `--values=${values}`])).toContain('imagePullPolicy: Never')
  })

  it.each([
    {
      set: 'api.options.redriveAfterr=3',
      says: "'/api/options': additional properties 'redriveAfterr' not allowed",
    },
    { set: 'api.options.redriveAfter=soon', says: "'/api/options/redriveAfter': got string, want number" },
    { set: 'api.options.messaging=nats://a:4222', says: "additional properties 'messaging' not allowed" },
    {
      set: 'nats.renewal.schedule=weekly',
      says: "'/nats/renewal/schedule': 'weekly' does not match pattern",
    },
    { set: 'replicas=3', says: "additional properties 'replicas' not allowed" },
    { set: 'api.replicas=-1', says: "'/api/replicas': minimum: got -1, want 0" },
    { set: 'api.replicas=two', says: "'/api/replicas': got string, want integer" },
    { set: 'nats.replicas=2', says: "'/nats/replicas': value must be one of 1, 3, 5" },
    {
      set: 'scheduler.options.maxAttempts=17',
      says: "'/scheduler/options/maxAttempts': maximum: got 17, want 16",
    },
    {
      set: 'scheduler.options.enabledFilters={ComputeFilter,RamFilter}',
      says: "'/scheduler/options/enabledFilters/1': 'RamFilter' does not match pattern '^(AggregateImagePropertiesIsolation|",
    },
    {
      set: 'scheduler.options.weightMultipliers.PCIWeigher=1',
      says: "'/scheduler/options/weightMultipliers': additional properties 'PCIWeigher' not allowed",
    },
    {
      set: 'scheduler.options.weightMultipliers.RAMWeigher=much',
      says: "'/scheduler/options/weightMultipliers/RAMWeigher': got string, want number",
    },
    {
      set: 'logging.level=loud',
      says: "'/logging/level': value must be one of 'debug', 'info', 'warn', 'error'",
    },
    { set: 'image.pullPolicy=Sometimes', says: "'/image/pullPolicy': value must be one of" },
    {
      set: 'image.digest=abc',
      says: "image.digest is 'abc', but a digest is sha256: and 64 hexadecimal digits",
    },
    {
      set: 'nats.enabled=false',
      says: 'nats.enabled is false, so messaging.url must say where your own NATS is',
    },
    {
      set: 'nats.enabled=false,messaging.url=http://nats:4222',
      says: "messaging.url is 'http://nats:4222', but a NATS is named as nats://host:4222",
    },
    {
      set: 'messaging.url=nats://a:4222',
      says: 'messaging.url is for a NATS of your own; set nats.enabled: false',
    },
    { set: 'messaging.credsSecret=mine', says: 'messaging.credsSecret is for a NATS of your own' },
    {
      set: 'messaging.streamReplicas=3,nats.replicas=1',
      says: 'messaging.streamReplicas is 3, but there are only 1 servers (nats.replicas)',
    },
  ])('refuses $set: $says', async ({ set, says }) => {
    const { failed, err } = await offline.run('helm', [...RENDER, `--set=${set}`])
    expect(failed).toBe(true)
    expect(err).toContain(says)
  })

  it.each(['0.0000001', '1000000', '-1.5', '1e30'])(
    'hands the multiplier %s on as a number that the scheduler takes',
    async (multiplier) => {
      const set = `--set-json=scheduler.options.weightMultipliers={"RAMWeigher":${multiplier}}`
      const env = Object.fromEntries(
        podsOf(await offline.must('helm', [...RENDER, set]))
          .flatMap(({ pod }) => pod.spec.containers)
          .flatMap((container) => (container.name === 'scheduler' ? container.env : []))
          .map((one) => [one.name, one.value]),
      )
      expect(readOptions(SCHEDULER_OPTIONS, [], env).weightMultipliers).toEqual({
        RAMWeigher: Number(multiplier),
      })
    },
  )

  it.each([1, 2, 3])(
    'keeps all present Pods of %i replicas until a new one is ready: one that does not come up changes nothing',
    async (replicas) => {
      const services = ['api', 'scheduler', 'conductor', 'natsAuth']
      const set = services.map((service) => `--set=${service}.replicas=${replicas}`)
      const deployments = objectsOf(await offline.must('helm', [...RENDER, ...set])).filter(
        ({ kind }) => kind === 'Deployment',
      )
      expect(deployments).toHaveLength(services.length)
      for (const one of deployments) {
        expect(deployment.parse(one).spec).toMatchObject({
          replicas,
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
          template: {
            spec: { containers: [{ readinessProbe: { httpGet: { path: '/readyz' } } }] },
          },
        })
      }
    },
  )

  it('refuses a cluster that is too old', async () => {
    const { failed, err } = await offline.run('helm', [...RENDER, '--kube-version=1.30.0'])
    expect(failed).toBe(true)
    expect(err).toContain('chart requires kubeVersion: >=1.31.0-0')
  })

  it('has the definitions of crds/, kept when the release goes', async () => {
    const text = await render('default')
    const definitions = objectsOf(text).filter(({ kind }) => kind === 'CustomResourceDefinition')
    const originals = kilonovaCrdFiles().map((file) => objectsOf(readFileSync(file, 'utf8'))[0])
    expect(definitions.map(({ spec }) => spec)).toEqual(originals.map((one) => one?.spec))
    for (const { metadata } of definitions) {
      expect(metadata).toMatchObject({ annotations: { 'helm.sh/resource-policy': 'keep' } })
    }
  })
})

function objectsOf(text: string): z.infer<typeof manifest>[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter((object) => object !== null)
    .map((object) => manifest.parse(object))
}

const WORKLOADS = new Set(['Deployment', 'DaemonSet', 'StatefulSet', 'Job', 'CronJob'])

function podsOf(text: string): Pod[] {
  return objectsOf(text).flatMap((object) => {
    const { name } = object.metadata
    if (object.kind === 'Pod') return [{ name, pod: template.parse(object) }]
    if (!WORKLOADS.has(object.kind)) return []
    const made = object.kind === 'CronJob' ? cronJob.parse(object).spec.jobTemplate : workload.parse(object)
    const { template: pod, volumeClaimTemplates: claims = [] } = made.spec
    // As the StatefulSet's controller does.
    const disks = claims.map(({ metadata }) => ({
      name: metadata.name,
      persistentVolumeClaim: { claimName: `${metadata.name}-${name}-0` },
    }))
    return [
      { name, pod: { ...pod, spec: { ...pod.spec, volumes: [...(pod.spec.volumes ?? []), ...disks] } } },
    ]
  })
}

/** `KILONOVA_REDRIVE_AFTER` is `redriveAfter`. */
function optionOf(name: string): string {
  const [head = '', ...tail] = name.slice('KILONOVA_'.length).toLowerCase().split('_')
  return [head, ...tail.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('')
}

/** The indented pieces of a page that are values of the chart. */
function valuesShownIn(page: string): readonly string[] {
  const known = Object.keys(parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')))
  const pieces = readFileSync(page, 'utf8').matchAll(/(?:^ {4}.*\n)+/gm)
  return [...pieces]
    .map(([piece]) => piece)
    .filter((piece) => known.some((key) => piece.split('\n').includes(`    ${key}:`)))
}
