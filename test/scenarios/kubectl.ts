import { execFile, execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findTools } from '../../hack/setup/find.ts'
import { leave } from './audit.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { patience } from './patience.ts'
import { hostsOf, type MakeWorld, type World } from './world.ts'

const OLDEST = [1, 28] as const

/** What an operator or a user types, and what comes back. */
export function describeKubectl(makeWorld: MakeWorld): void {
  const { program, lacking } = findKubectl()

  describe.skipIf(lacking !== undefined)(
    `with kubectl${lacking === undefined ? '' : ` (${lacking})`}`,
    () => {
      let world: World
      let project: Project

      beforeAll(async () => {
        world = await makeWorld()
        project = await makeProject(world)
      })
      afterAll(() => leave(world))

      it('apply, wait: an instance is active', async () => {
        expect(await kubectl(['apply', '-f', '-'], manifest('web'))).toBe(
          'instance.compute.kilonova.dev/web created\n',
        )

        expect(
          await kubectl([
            'wait',
            '--for=jsonpath={.status.vmState}=active',
            'instance/web',
            `--timeout=${patience(30)}s`,
          ]),
        ).toBe('instance.compute.kilonova.dev/web condition met\n')
        expect(
          await kubectl(['wait', '--for=condition=Ready', 'instance/web', `--timeout=${patience(30)}s`]),
        ).toBe('instance.compute.kilonova.dev/web condition met\n')
        expect(await kubectl(['apply', '-f', '-'], manifest('web'))).toBe(
          'instance.compute.kilonova.dev/web unchanged\n',
        )
      })

      it('get: the columns, plain and wide', async () => {
        const { status } = await project.get('web')
        const address = status.addresses?.[0]?.address ?? ''

        expect(columns(await kubectl(['get', 'instances']))).toEqual([
          ['NAME', 'STATUS', 'TASK', 'POWER', 'HOST', 'FLAVOR', 'IP', 'AGE'],
          [
            'web',
            'ACTIVE',
            '',
            'RUNNING',
            status.host,
            'm1.tiny',
            address,
            expect.stringMatching(/^(\d+m)?(\d+s)?$/),
          ],
        ])
        const [head = [], row = []] = columns(await kubectl(['get', 'inst', 'web', '-o', 'wide']))
        expect(head.slice(8)).toEqual(['IMAGE', 'VM-STATE', 'REQUEST-ID', 'LOCKED', 'FAULT'])
        expect(row.slice(8, 11)).toEqual(['cirros', 'active', status.requestId])
      })

      it('get -o yaml, jsonpath, name', async () => {
        const { metadata, status } = await project.get('web')

        const yaml = await kubectl(['get', 'instance', 'web', '-o', 'yaml'])
        expect(yaml).toContain('apiVersion: compute.kilonova.dev/v1alpha1\n')
        expect(yaml).toContain(`  uid: ${metadata.uid}\n`)
        expect(yaml).toContain('  vmState: active\n')
        expect(await kubectl(['get', 'instance', 'web', '-o', 'jsonpath={.status.requestId}'])).toBe(
          status.requestId,
        )
        expect(await kubectl(['get', 'instances', '-o', 'name'])).toBe('instance.compute.kilonova.dev/web\n')
      })

      it('describe: with the events, each with its request id', async () => {
        await project.event('web', 'Launched')

        const text = await kubectl(['describe', 'instance', 'web'])

        const { status } = await project.get('web')
        expect(text).toMatch(/Events:\n\s+Type\s+Reason\s+Age\s+From\s+Message\n/)
        expect(text).toMatch(/Normal\s+Scheduled\s+.*nova-scheduler\s+Bound to \S+/)
        expect(text).toMatch(/Normal\s+Launched\s+.*nova-conductor\s+Instance is active on \S+/)
        expect(text).toContain(`(${status.requestId})`)
      })

      it('patch: shuts off and starts, and refuses in Nova’s words', async () => {
        const { metadata } = await project.get('web')
        const off = '{"spec":{"powerState":"Shutdown"}}'

        expect(await kubectl(['patch', 'instance', 'web', '--type', 'merge', '-p', off])).toBe(
          'instance.compute.kilonova.dev/web patched\n',
        )
        await kubectl([
          'wait',
          '--for=jsonpath={.status.status}=SHUTOFF',
          'instance/web',
          `--timeout=${patience(30)}s`,
        ])
        await project.untilState('web', 'stopped')
        await world.services.stop('nova-api')
        await project.setStatus('web', { vmState: 'paused' })

        const refusal = await kubectlFails([
          'patch',
          'instance',
          'web',
          '--type',
          'merge',
          '-p',
          '{"spec":{"powerState":"Suspended"}}',
        ])
        expect(refusal).toContain(`Cannot 'suspend' instance ${metadata.uid} while it is in vm_state paused`)
        await project.setStatus('web', { vmState: 'stopped' })
        await world.services.start('nova-api')
      })

      it('apply --dry-run=server: checks, and makes nothing', async () => {
        expect(await kubectl(['apply', '--dry-run=server', '-f', '-'], manifest('dry'))).toBe(
          'instance.compute.kilonova.dev/dry created (server dry run)\n',
        )
        const wrong = manifest('dry').replace('flavor:', 'flavour:')
        expect(await kubectlFails(['apply', '--dry-run=server', '-f', '-'], wrong)).toMatch(
          /unknown field "spec.flavour"|spec.flavor: Required value/,
        )
        expect((await project.all()).map(({ metadata }) => metadata.name)).toEqual(['web'])
      })

      it('refuses an unknown field and a bad name at the prompt', async () => {
        expect(
          await kubectlFails(['create', '-f', '-'], `${manifest('typo')}  flavour: m1.small\n`),
        ).toContain('unknown field "spec.flavour"')
        expect(await kubectlFails(['create', '-f', '-'], manifest('web.example'))).toContain(
          "an instance's name must be a DNS label",
        )
      })

      it('explain: what a field means', async () => {
        const text = await kubectl(['explain', 'instance.spec.powerState'])

        expect(text).toMatch(/KIND:\s+Instance/)
        expect(text).toMatch(/FIELD: powerState/)
        expect(text).toContain('The state you want the guest to be in.')
        expect(text).toContain('Shutdown')
      })

      it('api-resources: all kinds, with their short names', async () => {
        const rows = columns(await kubectl(['api-resources', '--api-group=compute.kilonova.dev']))

        const kinds = rows.slice(1).map(([name]) => name)
        expect(kinds).toEqual([
          'computenodes',
          'computequotas',
          'flavors',
          'hostaggregates',
          'images',
          'instanceactions',
          'instances',
          'servergroups',
        ])
        expect(rows.find(([name]) => name === 'instances')?.slice(1)).toEqual([
          'inst',
          'compute.kilonova.dev/v1alpha1',
          'true',
          'Instance',
        ])
      })

      it('selects by label and by field', async () => {
        await kubectl(['label', 'instance', 'web', 'tier=front'])
        await kubectl(['apply', '-f', '-'], manifest('db'))
        const { status } = await project.untilState('db', 'active')
        const names = async (...args: string[]): Promise<string> =>
          kubectl(['get', 'instances', '-o', 'name', ...args])

        expect(await names('-l', 'tier=front')).toBe('instance.compute.kilonova.dev/web\n')
        expect(await names('-l', 'tier!=front')).toBe('instance.compute.kilonova.dev/db\n')
        expect(await names('--field-selector', 'status.status=SHUTOFF')).toBe(
          'instance.compute.kilonova.dev/web\n',
        )
        expect(await names('--field-selector', `status.host=${status.host},status.vmState=active`)).toBe(
          'instance.compute.kilonova.dev/db\n',
        )
      })

      it('get instanceactions and computenodes: what was done, and the hosts', async () => {
        const [head = [], ...rows] = columns(
          await kubectl(['get', 'instanceactions', '--field-selector', 'spec.instance=web']),
        )
        expect(head[0]).toBe('NAME')
        expect(rows.map((row) => row.join(' '))).toEqual([
          expect.stringMatching(/^web-create-.*create.*Success/),
          expect.stringMatching(/^web-stop-.*stop.*Success/),
        ])
        const hosts = columns(await kubectl(['get', 'computenodes'])).slice(1)
        expect(hosts.map(([name]) => name)).toEqual(hostsOf(world))
        expect(hosts.every((row) => row.includes('up'))).toBe(true)
      })

      it('get -w: shows each state as it comes', async () => {
        const args = ['--namespace', project.namespace, 'get', 'instances', '-w']
        const watching = execFile(program, args, { env: env() })
        let seen = ''
        watching.stdout?.on('data', (text: string) => {
          seen += text
        })
        await eventually('the watch has begun', () => seen.includes('db'))

        await kubectl([
          'patch',
          'instance',
          'db',
          '--type',
          'merge',
          '-p',
          '{"spec":{"powerState":"Shutdown"}}',
        ])

        await eventually('the stop is shown', () => /db\s+ACTIVE\s+powering-off[^]*db\s+SHUTOFF/.test(seen))
        watching.kill()
      })

      it('delete: waits until it is gone', async () => {
        // Newer ones add from which namespace.
        expect(await kubectl(['delete', 'instance', 'web', 'db'])).toMatch(
          /^instance\.compute\.kilonova\.dev "web" deleted.*\ninstance\.compute\.kilonova\.dev "db" deleted.*\n$/,
        )
        expect(await kubectl(['get', 'instances', '-o', 'name'])).toBe('')
        expect(await project.virtualMachines()).toEqual([])
      })

      function env(): NodeJS.ProcessEnv {
        return { ...process.env, KUBECONFIG: world.kubeconfigPath }
      }

      async function run(
        args: readonly string[],
        input: string,
      ): Promise<{ failed: boolean; out: string; err: string }> {
        return new Promise((resolve) => {
          const all = ['--namespace', project.namespace, ...args]
          const child = execFile(
            program,
            all,
            { env: env(), timeout: patience(40_000) },
            (error, out, err) => {
              resolve({ failed: error !== null, out, err })
            },
          )
          child.stdin?.end(input)
        })
      }

      async function kubectl(args: readonly string[], input = ''): Promise<string> {
        const { failed, out, err } = await run(args, input)
        expect(failed, `kubectl ${args.join(' ')}: ${err}`).toBe(false)
        return out
      }

      async function kubectlFails(args: readonly string[], input = ''): Promise<string> {
        const { failed, out, err } = await run(args, input)
        expect(failed, `kubectl ${args.join(' ')} did not fail: ${out}`).toBe(true)
        return err
      }
    },
  )
}

/** A kubectl that is new enough, or why there is none. */
function findKubectl(): { readonly program: string; readonly lacking: string | undefined } {
  const program = findTools().kubectl
  if (program === undefined)
    return { program: '', lacking: 'not run: there is no kubectl; get it with: npm run setup' }
  const text = execFileSync(program, ['version', '--client', '-o', 'json'], { encoding: 'utf8' })
  const [, major = '0', minor = '0'] = /"gitVersion": "v(\d+)\.(\d+)/.exec(text) ?? []
  const isEnough = Number(major) > OLDEST[0] || Number(minor) >= OLDEST[1]
  return { program, lacking: isEnough ? undefined : `not run: kubectl ${major}.${minor} is too old` }
}

function manifest(name: string): string {
  return `apiVersion: compute.kilonova.dev/v1alpha1
kind: Instance
metadata:
  name: ${name}
spec:
  flavor: m1.tiny
  image: cirros
`
}

/** The cells of a table, cut where the head's columns begin: cells may be empty. */
function columns(table: string): (string | undefined)[][] {
  const [head = '', ...rows] = table.trimEnd().split('\n')
  const starts = [...head.matchAll(/\S+(?: \S+)*/g)].map(({ index }) => index)
  const cut = (line: string): string[] =>
    starts.map((start, index) => line.slice(start, starts[index + 1] ?? line.length).trim())
  return [cut(head), ...rows.map(cut)]
}
