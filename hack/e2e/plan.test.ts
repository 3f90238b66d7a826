import { describe, expect, it } from 'vitest'
import type { Arguments } from './arguments.ts'
import { KindCluster } from './kind-cluster.ts'
import { planOf, type Step } from './plan.ts'
import { E2E } from './settings.ts'
import { failed, FakeCommands } from './testing.ts'

const NODES = ['control-plane', 'worker', 'worker2', 'worker3']
  .map((name) => `${E2E.cluster}-${name}`)
  .join('\n')
const DEFAULTS = { keep: false, reuse: false, emulate: false, only: undefined }

type Answers = ConstructorParameters<typeof FakeCommands>[0]

interface Run {
  readonly commands: FakeCommands
  /** What the user is told. */
  readonly said: string[]
  readonly make: (args?: Arguments, isThere?: boolean) => readonly Step[]
}

function run(answers: Answers = []): Run {
  const commands = new FakeCommands([
    ...answers,
    [/^docker image inspect/, 'sha256:0123456789abcdef0123456789abcdef\n'],
    [/^docker run .* -n fs\.inotify/, '1048576\n'],
    [/^kind get nodes/, NODES],
    [/^helm test/, 'TEST SUITE:     kilonova-check\nPhase:          Succeeded\n'],
  ])
  const said: string[] = []
  const programs = { docker: 'docker', kind: 'kind', kubectl: 'kubectl', helm: 'helm' }
  const tools = { commands, programs, log: (line: string) => said.push(line) }
  const make = (args: Arguments = DEFAULTS, isThere = false): readonly Step[] =>
    planOf(tools, new KindCluster(tools), args, isThere)
  return { commands, said, make }
}

async function follow(steps: readonly Step[]): Promise<void> {
  for (const step of steps) await step.run()
}

describe('a run', () => {
  it('makes the cluster, the image, KubeVirt and Kilonova, in this order, before the scenarios', async () => {
    const { commands, make } = run()

    await follow(make())

    const order = [
      /^kind create cluster --name=kilonova-e2e .*--config=.*hack\/kind\.yaml/,
      /^docker build --load --tag=kilonova:e2e \.$/,
      /^kind load docker-image kilonova:e2e-0123456789ab --name=kilonova-e2e$/,
      /^kubectl .*apply .*kubevirt\/releases\/download\/v1\.9\.0\/kubevirt-operator\.yaml$/,
      /^kubectl .*apply .*--filename=-$/,
      /^kubectl .*wait kubevirt\/kubevirt .*=Deployed/,
      /^kubectl .*label node .*e2e\.kilonova\.dev\/agent=present/,
      /^helm upgrade --install kilonova .*--set=image\.tag=e2e-0123456789ab/,
      /^helm test kilonova/,
      /^vitest run --project=e2e$/,
    ].map((pattern) => commands.lines.findIndex((line) => pattern.test(line)))
    expect(order).not.toContain(-1)
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  })

  it('touches no cluster but its own', async () => {
    const { commands, make } = run()

    await follow(make())

    const inClusters = commands.lines.filter((line) => /^(kubectl|helm) /.test(line))
    expect(inClusters.filter((line) => !line.includes(`--kubeconfig=${E2E.kubeconfig}`))).toEqual([])
    expect(commands.calls.at(-1)?.env).toEqual({ KILONOVA_E2E_KUBECONFIG: E2E.kubeconfig })
  })

  it('builds without attestations, which kind cannot load', async () => {
    const { commands, make } = run()

    await follow(make())

    const build = commands.calls.find(({ line }) => line.startsWith('docker build'))
    expect(build?.env).toMatchObject({ BUILDX_NO_DEFAULT_ATTESTATIONS: '1' })
  })

  it('uses a cluster that is there, and brings it up to date', async () => {
    const { commands, make } = run()

    await follow(make(DEFAULTS, true))

    expect(commands.lines.filter((line) => line.startsWith('kind export kubeconfig'))).toHaveLength(1)
    expect(commands.lines.join('\n')).not.toContain('create cluster')
    expect(commands.lines.some((line) => line.startsWith('helm upgrade'))).toBe(true)
  })

  it('installs nothing anew when it is to use what is there', async () => {
    const { commands, make } = run()

    await follow(make({ ...DEFAULTS, reuse: true, only: 'drained' }, true))

    expect(commands.lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'kind export',
      'vitest run',
    ])
    expect(commands.lines.at(-1)).toBe('vitest run --project=e2e --testNamePattern=drained')
  })

  it.each([
    { what: 'uses the hardware where every worker has it', missing: /never/, useEmulation: false },
    {
      what: 'emulates where one worker has no KVM',
      missing: /worker3 test -c \/dev\/kvm/,
      useEmulation: true,
    },
    { what: 'emulates where there is no vhost-net', missing: /test -c \/dev\/vhost-net/, useEmulation: true },
  ])('$what', async ({ missing, useEmulation }) => {
    const { commands, said, make } = run([[missing, failed()]])

    await follow(make())

    const { input } = commands.calls.find(({ line }) => line.endsWith('--filename=-')) ?? {}
    expect(JSON.parse(input ?? '')).toMatchObject({
      kind: 'KubeVirt',
      spec: { configuration: { developerConfiguration: { useEmulation } } },
    })
    expect(said.some((line) => line.includes('guests are emulated'))).toBe(useEmulation)
  })

  it('emulates where it is told to, whatever there is', async () => {
    const { commands, make } = run()

    await follow(make({ ...DEFAULTS, emulate: true }))

    const { input } = commands.calls.find(({ line }) => line.endsWith('--filename=-')) ?? {}
    expect(input).toContain('"useEmulation":true')
  })

  it('raises only those limits of the kernel that are too low, and says so', async () => {
    const { commands, said, make } = run([[/-n fs\.inotify\.max_user_instances/, '128\n']])

    await follow(make())

    const raised = commands.lines.filter((line) => line.includes(' -w '))
    expect(raised).toEqual([
      expect.stringMatching(
        /^docker run --rm --privileged --entrypoint=sysctl kindest\/node:\S+ -w fs\.inotify\.max_user_instances=512$/,
      ),
    ])
    const [create] = commands.lines.filter((line) => line.startsWith('kind create'))
    expect(commands.lines.indexOf(raised[0] ?? '')).toBeLessThan(commands.lines.indexOf(create ?? ''))
    expect(said).toContain(
      'raising fs.inotify.max_user_instances of this machine from 128 to 512, until it starts anew',
    )
  })

  it('ends at the first step that fails', async () => {
    const { commands, make } = run([[/^helm upgrade/, failed('context deadline exceeded')]])

    await expect(follow(make())).rejects.toThrow('context deadline exceeded')

    expect(commands.lines.at(-1)).toMatch(/^helm upgrade/)
  })
})
