import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { COMPUTE_QUOTA } from '../../src/apis/v1alpha1/compute-quota.ts'
import { INSTANCE } from '../../src/apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../../src/apis/v1alpha1/instance-action.ts'
import { SERVER_GROUP } from '../../src/apis/v1alpha1/server-group.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import { leave } from '../scenarios/audit.ts'
import { eventually } from '../scenarios/eventually.ts'
import { makeProject, type Project } from '../scenarios/instances.ts'
import { hostsOf } from '../scenarios/world.ts'
import { type Exit, runKilonova } from './command.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { freePort } from './parts/ports.ts'
import { makeRealWorld, type RealWorld } from './real-world.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()
if (needed !== undefined) console.log(needed)

const decision = z.looseObject({ host: z.string(), considered: z.int() })

/** As a user types it, on an installation of the chart. */
describe.skipIf(needed !== undefined)('asking where instances go, and why', () => {
  const folder = makeFolder('ask-why')
  const manifestFile = join(folder, 'web.yaml')
  let world: RealWorld
  let project: Project
  let inPodOfApi: Readonly<Record<string, string>>

  beforeAll(async () => {
    world = await makeRealWorld({}, { installed: () => undefined })
    project = await makeProject(world)
    inPodOfApi = await world.envOf('nova-api')
    writeFileSync(manifestFile, manifest({}))
  })
  afterAll(async () => {
    if (world) await leave(world)
    removeFolder(folder)
  })

  function manifest(spec: object, metadata: object = { name: 'web', namespace: project.namespace }): string {
    return stringify({
      apiVersion: apiVersionOf(INSTANCE),
      kind: INSTANCE.kind,
      metadata,
      spec: { flavor: 'm1.tiny', image: 'cirros', ...spec },
    })
  }

  const explain = (...args: readonly string[]): Promise<Exit> =>
    runKilonova(['explain', ...args], { env: { KUBECONFIG: world.kubeconfigPath } })

  describe('kilonova explain instance', () => {
    it('tells the host, the hosts that each filter took out, and the weights', async () => {
      const { status } = await project.launch('placed')
      await project.actionEnd('placed', 'create')

      const { exitCode, out, err } = await explain('instance', 'placed', '-n', project.namespace)

      expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
      const lines = out.split('\n')
      expect(lines[0]).toMatch(/^create of placed at 20\d\d-\S+Z \(req-[0-9a-f-]{36}\): Success$/)
      expect(lines[1]).toBe(`Host:        ${status.host}, the best of 3 that passed, of 3 considered`)
      expect(out).toMatch(/^ {2}ComputeFilter +took out 0$/m)
      expect(out).toMatch(
        new RegExp(
          `Weights of the best:\\n {2}${status.host} {2}3 \\(CPUWeigher 1, DiskWeigher 1, RAMWeigher 1\\)\n`,
        ),
      )
    })

    it('tells it to programs, too', async () => {
      const { exitCode, out } = await explain('instance', 'placed', '-n', project.namespace, '-o', 'json')

      expect(exitCode).toBe(0)
      const [told, ...others] = z
        .array(z.looseObject({ action: z.string(), placement: decision }))
        .parse(JSON.parse(out))
      const { status } = await project.get('placed')
      expect(told).toMatchObject({ action: 'create', placement: { host: status.host, considered: 3 } })
      expect(others).toEqual([])
    })

    it('tells of one that found no host what took out the hosts', async () => {
      await project.create('nowhere', { availabilityZone: 'pluto' })
      await project.untilFault('nowhere')
      await project.actionEnd('nowhere', 'create')

      const { exitCode, out } = await explain('instance', 'nowhere', '-n', project.namespace)

      expect(exitCode).toBe(0)
      expect(out).toMatch(
        /^create of nowhere at \S+ \(req-\S+\): Error\nNo valid host was found\. Of 3 hosts, /,
      )
      expect(out).toMatch(/^ {2}AvailabilityZoneFilter +took out 3: 3 in zone nova, not pluto$/m)
    })

    it('tells of one that could not even be decided on what was in the way', async () => {
      await project.create('groupless', { schedulerHints: { group: 'nobody' } })
      await project.untilFault('groupless')
      await project.actionEnd('groupless', 'create')

      const { exitCode, out } = await explain('instance', 'groupless', '-n', project.namespace)

      expect(exitCode).toBe(0)
      expect(out).toMatch(
        /^create of groupless at \S+ \(req-\S+\): Error: Instance group nobody could not be found\.\n$/,
      )
    })

    it('says that there is no such instance, or not in this namespace', async () => {
      expect(await explain('instance', 'nobody', '-n', project.namespace)).toEqual({
        exitCode: 1,
        out: '',
        err: `kilonova explain: Instance ${project.namespace}/nobody could not be found.\n`,
      })
      expect(await explain('instance', 'placed')).toEqual({
        exitCode: 1,
        out: '',
        err: 'kilonova explain: Instance default/placed could not be found.\n',
      })
    })

    it('says that no decision is recorded', async () => {
      await project.launch('forgotten')
      const { metadata } = await project.actionEnd('forgotten', 'create')
      await world.client.delete(INSTANCE_ACTION, { namespace: project.namespace, name: metadata.name })

      const told = await explain('instance', 'forgotten', '-n', project.namespace)
      const json = await explain('instance', 'forgotten', '-n', project.namespace, '-o', 'json')

      expect(told).toMatchObject({ exitCode: 0, err: '' })
      expect(told.out).toMatch(/^No decision on forgotten is recorded: .*\n$/)
      expect(json).toEqual({ exitCode: 0, out: '[]\n', err: '' })
    })

    it.each([
      { args: [], says: 'say which: kilonova explain instance NAME' },
      { args: ['instance'], says: 'say which: kilonova explain instance NAME' },
      { args: ['web'], says: 'say which: kilonova explain instance NAME' },
      { args: ['instance', 'web', '--kubeconfig', '/nowhere'], says: 'cannot read /nowhere: ENOENT' },
    ])('cannot be used as $args: $says', async ({ args, says }) => {
      const { exitCode, out, err } = await explain(...args)
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
      expect(err).toContain(`kilonova explain: ${says}`)
      expect(err.trim().split('\n')).toHaveLength(1)
    })
  })

  describe('kilonova schedule --dry-run', () => {
    const dryRun = (
      args: readonly string[],
      { input = '', env = inPodOfApi }: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
    ): Promise<Exit> => runKilonova(['schedule', '--dry-run', ...args], { env, input })

    it('tells where an instance of a file would go, and books nothing', async () => {
      const before = await project.all()
      const { exitCode, out, err } = await dryRun(['-f', manifestFile])

      expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
      expect(out).toMatch(/^Host: {8}node-\d, the best of 3 that passed, of 3 considered\n/)
      expect(out).toMatch(/^Alternates: {2}node-\d, node-\d\nFilters:\n/m)
      expect((await project.all()).length).toBe(before.length)
    })

    it('reads standard input, tells it to programs, and looks for the instance among others in a file', async () => {
      const others = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: other }\n'
      const [host = ''] = hostsOf(world)
      const input = ['', others, manifest({ requestedHost: host }), ''].join('---\n')
      const { exitCode, out, err } = await dryRun(['-f', '-', '-o', 'json'], { input })

      expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
      expect(z.looseObject({ placement: decision }).parse(JSON.parse(out)).placement).toMatchObject({
        host,
        considered: 3,
      })
    })

    it('says with exit code 1 that no host is valid, and why', async () => {
      const input = manifest({ availabilityZone: 'pluto' })
      const told = await dryRun(['-f', '-'], { input })
      const json = await dryRun(['-f', '-', '-o', 'json'], { input })

      expect(told).toMatchObject({ exitCode: 1, err: '' })
      const reason = 'AvailabilityZoneFilter took out 3 (3 in zone nova, not pluto)'
      expect(told.out).toContain(`No valid host was found. Of 3 hosts, ${reason}.\nFilters:\n`)
      expect(json.exitCode).toBe(1)
      expect(parse(json.out)).toMatchObject({ placement: { host: '' }, reason: `Of 3 hosts, ${reason}.` })
    })

    it.each([
      { spec: { flavor: 'm1.none' }, says: 'Flavor m1.none could not be found.' },
      { spec: { image: 'none' }, says: 'Image none could not be found.' },
      { spec: { schedulerHints: { group: 'none' } }, says: 'Instance group none could not be found.' },
    ])('says with exit code 1 that a launch would fail: $says', async ({ spec, says }) => {
      expect(await dryRun(['-f', '-'], { input: manifest(spec) })).toEqual({
        exitCode: 1,
        out: '',
        err: `kilonova schedule: ${says}\n`,
      })
    })

    it('says with exit code 1 that it is over the quota', async () => {
      const small = await makeProject(world)
      await world.client.create(COMPUTE_QUOTA, {
        apiVersion: apiVersionOf(COMPUTE_QUOTA),
        kind: COMPUTE_QUOTA.kind,
        metadata: { namespace: small.namespace, name: 'none' },
        spec: { instances: 0, cores: -1, ram: -1 },
      })
      await eventually('the scheduler knows the quota', async () => {
        const input = manifest({}, { name: 'web', namespace: small.namespace })
        const { exitCode, err } = await dryRun(['-f', '-'], { input })
        return (
          exitCode === 1 &&
          err ===
            'kilonova schedule: Quota exceeded for resources: instances: 1 asked, 0 of 0 used (ComputeQuota none).\n'
        )
      })
    })

    it('takes the namespace of the command line where the file names none, and no other than the file’s', async () => {
      await world.client.create(SERVER_GROUP, {
        apiVersion: apiVersionOf(SERVER_GROUP),
        kind: SERVER_GROUP.kind,
        metadata: { namespace: project.namespace, name: 'here' },
        spec: { policy: 'affinity' },
      })
      const hints = { schedulerHints: { group: 'here' } }
      const nameless = { input: manifest(hints, { name: 'web' }) }
      expect((await dryRun(['-f', '-', '-n', project.namespace], nameless)).exitCode).toBe(0)
      expect((await dryRun(['-f', '-', '-n', 'default'], nameless)).err).toContain(
        'Instance group here could not',
      )

      expect(await dryRun(['-f', manifestFile, '-n', 'other'])).toEqual({
        exitCode: 2,
        out: '',
        err: `kilonova schedule: the manifest is of namespace ${project.namespace}, and --namespace says other\n`,
      })
    })

    it.each([
      { what: 'nothing', input: '', says: 'The manifest cannot be used: it is empty' },
      { what: 'no YAML', input: '{', says: 'The manifest cannot be used: it is no YAML: ' },
      {
        what: 'a Pod',
        input: 'kind: Pod\nmetadata: { name: web }\n',
        says: 'The manifest cannot be used: it holds no Instance, but Pod',
      },
      {
        what: 'two Instances',
        input: 'kind: Instance\nmetadata: { name: a }\n---\nkind: Instance\nmetadata: { name: b }\n',
        says: 'The manifest cannot be used: it holds 2 Instances (a, b); ask for one at a time',
      },
    ])('cannot be used with $what', async ({ input, says }) => {
      const { exitCode, out, err } = await dryRun(['-f', '-'], { input })
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
      expect(err).toContain(`kilonova schedule: ${says}`)
      expect(err.trim().split('\n')).toHaveLength(1)
    })

    it.each([
      { args: [], says: 'say which: -f FILE, or -f - for standard input' },
      { args: ['-f', '/nowhere.yaml'], says: 'cannot read /nowhere.yaml: ENOENT' },
    ])('cannot be used as $args: $says', async ({ args, says }) => {
      const { exitCode, out, err } = await dryRun(args)
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
      expect(err).toContain(`kilonova schedule: ${says}`)
      expect(err.trim().split('\n')).toHaveLength(1)
    })

    describe('says with exit code 2, within its time limit, that it could not ask', () => {
      const ask = (env: NodeJS.ProcessEnv = inPodOfApi): Promise<Exit> =>
        dryRun(['-f', manifestFile, '--call-timeout', '2'], { env })

      it('without a scheduler', async () => {
        await world.services.stop('nova-scheduler')
        const { exitCode, out, err } = await ask()
        await world.services.start('nova-scheduler')

        expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
        expect(err).toBe(
          "kilonova schedule: No server answers on scheduler (call of 'select_destinations'); does a nova-scheduler run, and has one become the leader?\n",
        )
        await eventually('it is answered again', async () => (await ask()).exitCode === 0)
      })

      it('outside the pod of nova-api, without its token', async () => {
        const entries = Object.entries(inPodOfApi).filter(
          ([name]) => name !== 'KILONOVA_MESSAGING_TOKEN_FILE',
        )
        const { exitCode, out, err } = await ask(Object.fromEntries(entries))

        expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
        expect(err).toMatch(
          /^kilonova schedule: Could not send a message to scheduler: no message broker for \d+ ms: 127\.0\.0\.1:\d+: the broker refused our credentials .*\n$/,
        )
      })

      it('without a broker', async () => {
        await world.broker.goAway()
        const { exitCode, out, err } = await ask()
        await world.broker.comeBack()

        expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
        expect(err).toMatch(
          /^kilonova schedule: Could not send a message to scheduler: no message broker for \d+ ms: 127\.0\.0\.1:\d+: connection refused\n$/,
        )
      })

      it('of a broker that takes the connection and says nothing', async () => {
        const mute = createServer()
        const port = await freePort()
        mute.listen(port, '127.0.0.1')
        await once(mute, 'listening')
        const { exitCode, out, err } = await ask({
          ...inPodOfApi,
          KILONOVA_MESSAGING: `nats://127.0.0.1:${port}`,
        })
        mute.close()

        expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
        expect(err).toMatch(
          /^kilonova schedule: Could not send a message to scheduler: no message broker for \d+ ms\n$/,
        )
      })

      it('without the API server, and neither can explain', async () => {
        await world.apiServer.goAway()
        const told = await Promise.all([ask(), explain('instance', 'placed', '-n', project.namespace)])
        await world.apiServer.comeBack()

        for (const [index, command] of ['schedule', 'explain'].entries()) {
          expect(told[index]).toMatchObject({ exitCode: 2, out: '' })
          expect(told[index]?.err).toMatch(
            new RegExp(
              `^kilonova ${command}: the Kubernetes API could not be asked: GET .*ECONNREFUSED.*\\n$`,
            ),
          )
        }
      })
    })
  })

  describe('a scheduler that is told nonsense', () => {
    it.each([
      {
        args: ['--enabled-filters', 'ComputeFilter,Nonsense'],
        says: /^kilonova scheduler: --enabled-filters: there is no filter 'Nonsense'; there are Aggregate.*, ComputeFilter, .*\n$/,
      },
      {
        args: ['--weight-multipliers', 'Nonsense=1'],
        says: /^kilonova scheduler: --weight-multipliers: there is no weigher 'Nonsense'; there are RAMWeigher, .*\n$/,
      },
      {
        args: ['--weight-multipliers', 'RAMWeigher=much'],
        says: /^kilonova scheduler: --weight-multipliers: 'much' is no multiplier.*\n$/,
      },
    ])('ends at once with a sentence, and the present one goes on: $args', async ({ args, says }) => {
      const before = world.services.log('nova-scheduler').length

      const { exitCode, out, err } = await runKilonova(['scheduler', ...args], {
        env: await world.envOf('nova-scheduler'),
      })

      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
      expect(err).toMatch(says)
      await project.launch('goes-on')
      expect(world.services.log('nova-scheduler').slice(before)).not.toContain('No longer the leader')
      await project.delete('goes-on')
      await project.untilGone('goes-on')
    })

    it('does so before it looks for anything', async () => {
      const nothing = { KILONOVA_KUBECONFIG: '/nowhere', KILONOVA_MESSAGING: 'nats://127.0.0.1:1' }
      const { exitCode, err } = await runKilonova(['scheduler', '--enabled-filters', 'Nonsense'], {
        env: nothing,
      })

      expect(exitCode).toBe(2)
      expect(err).toContain("there is no filter 'Nonsense'")
      expect(err).not.toContain('/nowhere')
    })
  })
})
