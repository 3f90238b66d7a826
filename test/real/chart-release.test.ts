import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { eventually } from '../scenarios/eventually.ts'
import { CommandLine } from './command.ts'
import { JobRunner } from './job-runner.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { setupNeeded } from './setup-needed.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const CHART = join(CHECKOUT, 'charts/kilonova')
const NAMESPACE = 'kilonova-system'
const RELEASE = ['kilonova', `--namespace=${NAMESPACE}`]

const CRDS = [
  'computenodes',
  'computequotas',
  'flavors',
  'hostaggregates',
  'images',
  'instanceactions',
  'instances',
  'servergroups',
].map((plural) => `CustomResourceDefinition ${plural}.compute.kilonova.dev`)
/** What is a user's or an operator's, and what they made. */
const STAYS = [
  ...CRDS,
  'ComputeNode node-1',
  'Flavor m1.large',
  'Flavor m1.medium',
  'Flavor m1.small',
  'Flavor m1.tiny',
  'Flavor m1.xlarge',
  'Image cirros',
  'Instance default/web',
  // NATS's keys, which no release made: see docs/install.md.
  `ConfigMap ${NAMESPACE}/kilonova-nats-ca`,
  `Secret ${NAMESPACE}/kilonova-nats-auth`,
  `Secret ${NAMESPACE}/kilonova-nats-ca-key`,
  `Secret ${NAMESPACE}/kilonova-nats-server`,
].toSorted()

const list = z.object({
  items: z.array(
    z.looseObject({
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
    }),
  ),
})

const needed = setupNeeded()

describe.skipIf(needed !== undefined)('a release of the chart', () => {
  let folder: string
  let plane: ControlPlane
  let runner: JobRunner
  let cluster: CommandLine
  let before: ReadonlySet<string>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kilonova-release-'))
    plane = await startControlPlane()
    cluster = new CommandLine(folder, plane.kubeconfigPath)
    runner = new JobRunner(plane)
    runner.start()
    await kubectl('create', 'namespace', NAMESPACE)
    before = new Set(await everything())
  })
  afterAll(async () => {
    await runner?.stop()
    await plane?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const helm = (...args: string[]): Promise<string> => cluster.must('helm', args)
  const kubectl = (...args: string[]): Promise<string> => cluster.must('kubectl', args)

  it('is installed, with the classic flavors, and says what to type next', async () => {
    const notes = await helm('install', ...RELEASE, olderChart(folder))

    expect(notes).toContain('kubectl get computenodes')
    expect(notes).toContain('KubeVirt is not installed in this cluster')
    expect(runner.ran).toEqual(['kilonova-nats-keys', 'kilonova-catalogue'])
    expect(await kubectl('get', 'flavors', '-o=name')).toContain('flavor.compute.kilonova.dev/m1.small')
    // The catalogue waited until flavors and images were served; the API server takes up one kind after another.
    await applied('an instance', readFileSync(join(CHECKOUT, 'examples/instance.yaml'), 'utf8'))
    const node = {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'ComputeNode',
      metadata: { name: 'node-1' },
    }
    await applied('a compute node', JSON.stringify(node))
    expect(await knownFields()).not.toContain('description')
  })

  it('is upgraded with its definitions; keys and flavors stay as they are', async () => {
    await kubectl('patch', 'flavor', 'm1.tiny', '--type=merge', '--patch={"spec":{"vcpus":3}}')
    await kubectl('delete', 'flavor', 'm1.xlarge')
    const keys = await kubectl(
      'get',
      'secrets',
      `--namespace=${NAMESPACE}`,
      '--field-selector=type=Opaque',
      '-o=yaml',
    )

    await helm('upgrade', ...RELEASE, CHART)

    expect(await knownFields()).toContain('description')
    expect(await kubectl('get', 'instance', 'web', '-o=jsonpath={.spec.flavor}')).toBe('m1.small')
    expect(
      await kubectl('get', 'secrets', `--namespace=${NAMESPACE}`, '--field-selector=type=Opaque', '-o=yaml'),
    ).toBe(keys)
    expect(await kubectl('get', 'flavors', '-o=name')).not.toContain('m1.xlarge')
    expect(runner.ran).toEqual(['kilonova-nats-keys', 'kilonova-catalogue', 'kilonova-nats-keys'])
  })

  it('keeps the definitions when they are to be managed elsewhere', async () => {
    await helm('upgrade', ...RELEASE, CHART, '--set=crds.enabled=false')
    expect(await kubectl('get', 'instances', '-o=name')).toBe('instance.compute.kilonova.dev/web\n')
    await helm('upgrade', ...RELEASE, CHART)
  })

  it('leaves nothing but what users and operators have, when it is uninstalled', async () => {
    await helm('uninstall', ...RELEASE)

    const left = (await everything()).filter((one) => !before.has(one))
    expect(left).toEqual(STAYS.filter((one) => one !== 'Flavor m1.xlarge'))
  })

  it('is installed again over what stayed, and changes none of it', async () => {
    await helm('install', ...RELEASE, CHART)

    expect(await kubectl('get', 'flavor', 'm1.tiny', '-o=jsonpath={.spec.vcpus}')).toBe('3')
    expect(await kubectl('get', 'instances', '-o=name')).toBe('instance.compute.kilonova.dev/web\n')
    await helm('uninstall', ...RELEASE)
    expect((await everything()).filter((one) => !before.has(one))).toEqual(STAYS)
  })

  it('of another name takes the definitions over only when it is told to', async () => {
    const { failed, err } = await cluster.run('helm', ['install', 'nova', `--namespace=${NAMESPACE}`, CHART])
    expect(failed).toBe(true)
    expect(err).toContain('exists and cannot be imported into the current release')

    await helm('install', 'nova', `--namespace=${NAMESPACE}`, CHART, '--take-ownership')
    await helm('uninstall', 'nova', `--namespace=${NAMESPACE}`)
    expect(await kubectl('get', 'instances', '-o=name')).toBe('instance.compute.kilonova.dev/web\n')
  })

  const applied = (what: string, manifest: string): Promise<unknown> =>
    eventually(`${what} can be made`, () => cluster.must('kubectl', ['apply', '--filename=-'], manifest))

  /** The fields of a flavor's spec, by the definition in the cluster. */
  async function knownFields(): Promise<string[]> {
    const crd = await kubectl('get', 'crd', 'flavors.compute.kilonova.dev', '-o=json')
    const [version] = flavorDefinition.parse(JSON.parse(crd)).spec.versions
    return Object.keys(version?.schema.openAPIV3Schema.properties.spec.properties ?? {})
  }

  /** Every object that somebody made and not the cluster for itself, as `Kind namespace/name`. */
  async function everything(): Promise<string[]> {
    const types = await kubectl('api-resources', '--verbs=list,delete', '--output=name')
    const wanted = types
      .trim()
      .split('\n')
      .filter((type) => !/^(events|leases|apiservices)(\.|$)/.test(type))
    const all = await kubectl('get', wanted.join(','), '--all-namespaces', '--output=json')
    return list
      .parse(JSON.parse(all))
      .items.map(({ kind, metadata: { namespace, name } }) => {
        return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
      })
      .toSorted()
  }
})

/** The chart as it was when flavors had no description. */
function olderChart(folder: string): string {
  const chart = join(folder, 'older')
  cpSync(CHART, chart, { recursive: true })
  const file = join(chart, 'files/crds/compute.kilonova.dev_flavors.yaml')
  const crd = flavorDefinition.parse(parse(readFileSync(file, 'utf8')))
  for (const { schema } of crd.spec.versions) {
    delete schema.openAPIV3Schema.properties.spec.properties['description']
  }
  writeFileSync(file, stringify(crd))
  return chart
}

const flavorDefinition = z.looseObject({
  spec: z.looseObject({
    versions: z.array(
      z.looseObject({
        schema: z.looseObject({
          openAPIV3Schema: z.looseObject({
            properties: z.looseObject({
              spec: z.looseObject({ properties: z.record(z.string(), z.unknown()) }),
            }),
          }),
        }),
      }),
    ),
  }),
})
