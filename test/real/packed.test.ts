import { execFile } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { INSTANCE, type Instance } from '../../src/apis/v1alpha1/instance.ts'
import { SystemClock, toTimestamp } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { type CustomResourceDefinition, installCrds, kilonovaCrds } from '../../src/dev/crds.ts'
import { InstanceFollower } from '../../src/dev/instance-follower.ts'
import { AggregatedApi } from '../../src/dev/kubevirt/aggregated-api.ts'
import { KubeVirtStandIn } from '../../src/dev/kubevirt/stand-in.ts'
import { createNode } from '../../src/dev/nodes.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { seedCatalogue } from '../../src/objects/catalogue.ts'
import { eventually } from '../scenarios/eventually.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { kubevirtCrdFiles } from './parts/crds.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { imageProgram, stage } from './parts/image.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { freePort } from './parts/ports.ts'
import { ServiceProcess } from './service-process.ts'
import { setupNeeded } from './setup-needed.ts'

const SERVICES = [['api'], ['scheduler'], ['conductor'], ['compute', '--host', 'node-1']] as const

interface Running {
  readonly name: string
  readonly process: ServiceProcess
  readonly port: number
}

describe.skipIf(setupNeeded() !== undefined)('what the image holds', () => {
  const clock = new SystemClock()
  const silent = loggerTo(() => undefined, { format: 'text', level: 'error' })
  const folder = makeFolder('image')
  const app = join(folder, 'app')
  const leave: (() => unknown)[] = []
  let plane: ControlPlane
  let nats: NatsServer
  let client: HttpKubeClient
  let follower: InstanceFollower
  let services: readonly Running[] = []

  beforeAll(async () => {
    chmodSync(folder, 0o755)
    stage(app)
    ;[plane, nats] = await Promise.all([startControlPlane(), startNats()])
    client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
    const kubevirt = kubevirtCrdFiles().map(
      (file) => parse(readFileSync(file, 'utf8')) as CustomResourceDefinition,
    )
    await installCrds({ client, clock }, [...kilonovaCrds(), ...kubevirt], { replace: false })
    await Promise.all([seedCatalogue(client), createNode(client, 'node-1', toTimestamp(clock.now()))])
    const standIn = new KubeVirtStandIn({ client, clock, log: silent }, { bootMs: 0, shutdownMs: 0 })
    await standIn.start()
    const subresources = new AggregatedApi(
      { client, clock, log: silent },
      { handle: async (method, path, body) => standIn.handleSubresource(method, path, body) },
    )
    await subresources.start()
    follower = new InstanceFollower({ client })
    follower.start()
    leave.push(
      () => follower.stop(),
      () => standIn.stop(),
      () => subresources.stop(),
      () => client.close(),
      () => Promise.all([plane.stop(), nats.stop()]),
    )
    services = await Promise.all(SERVICES.map((args) => makeService(args)))
    await Promise.all(services.map(({ process }) => process.start()))
  })
  afterAll(async () => {
    await Promise.all(services.map(({ process }) => process.kill()))
    for (const step of leave) await step()
    if (existsSync(app)) rmSync(app, { recursive: true, force: true })
    removeFolder(folder)
  })

  /** With the environment that a pod has: options, and nothing else. */
  async function makeService(args: readonly string[]): Promise<Running> {
    const port = await freePort()
    const env = {
      NODE_ENV: 'production',
      KILONOVA_KUBECONFIG: readableKubeconfig(),
      KILONOVA_MESSAGING: nats.url,
      KILONOVA_HEALTH_PORT: String(port),
      KILONOVA_LOG_FORMAT: 'text',
      KILONOVA_LEASE_DURATION: '2',
    }
    const name = args[0] ?? ''
    const logFile = join(folder, `${name}.log`)
    return { name, port, process: new ServiceProcess(args, env, logFile, imageProgram(app)) }
  }

  /** The administrator's, with everything inline: the services are another user. */
  function readableKubeconfig(): string {
    const path = join(folder, 'kubeconfig')
    const config = parse(readFileSync(plane.kubeconfigPath, 'utf8')) as {
      clusters: { cluster: Record<string, string> }[]
    }
    for (const { cluster } of config.clusters) {
      cluster['certificate-authority-data'] = readFileSync(plane.caFile).toString('base64')
      delete cluster['certificate-authority']
    }
    writeFileSync(path, stringify(config), { mode: 0o644 })
    return path
  }

  const look = async ({ port }: Running, path: string): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: answer.status, text: await answer.text() }
  }
  const untilAllAre = async (status: number, says: RegExp): Promise<void> => {
    for (const service of services) {
      await eventually(`${service.name} answers ${status} and says ${says}`, async () => {
        const ready = await look(service, '/readyz')
        return ready.status === status && says.test(ready.text)
      })
      expect(await look(service, '/healthz')).toEqual({ status: 200, text: 'ok\n' })
    }
  }

  it('has what the services need, and nothing that is for trying or testing', () => {
    const files = readdirSync(app, { recursive: true, encoding: 'utf8' })
    const modules = readdirSync(join(app, 'node_modules'))

    expect(readdirSync(app).toSorted()).toEqual([
      'LICENSE',
      'README.md',
      'crds',
      'dist',
      'node_modules',
      'package-lock.json',
      'package.json',
    ])
    expect(readdirSync(join(app, 'dist'))).not.toContain('dev')
    expect(readdirSync(join(app, 'dist'))).not.toContain('testing')
    for (const name of ['node', 'typescript', 'vitest', '@kubernetes']) expect(modules).not.toContain(name)
    // Nothing native: one package for all architectures.
    expect(files.filter((name) => /\.node$|binding\.gyp$|\.test\.js$/.test(name))).toEqual([])
  })

  it('launches an instance and shuts it off', async () => {
    const ref = { namespace: 'default', name: 'web' }
    const manifest = {
      apiVersion: 'compute.kilonova.dev/v1alpha1',
      kind: 'Instance',
      metadata: ref,
      spec: { flavor: 'm1.tiny', image: 'cirros' },
    }
    await client.create(INSTANCE, manifest as Instance)
    await follower.until(ref, ({ status }) => status.vmState === 'active' && status.taskState === undefined)

    await client.mergePatch(INSTANCE, ref, { spec: { powerState: 'Shutdown' } })

    await follower.until(ref, ({ status }) => status.vmState === 'stopped' && status.taskState === undefined)
  })

  it('checks the cluster it is in', async () => {
    const { command, uid } = imageProgram(app)
    const [node = '', ...args] = command
    const { promise, resolve } = Promise.withResolvers<string>()
    execFile(
      node,
      [...args, 'check', '--kubeconfig', readableKubeconfig(), '--messaging', nats.url],
      { env: {}, ...(uid !== undefined && { uid, gid: uid }) },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    )

    const text = await promise

    expect(text).toMatch(/^ok +definitions +ComputeNode, /m)
    expect(text).toMatch(/^ok +agents +1 up$/m)
    expect(text).toMatch(/^ok +messaging /m)
  })

  it('is not ready while the broker is away, says so, lives, and comes back', async () => {
    await untilAllAre(200, /^ok$/m)

    await nats.kill()
    await untilAllAre(503, /^messaging/m)

    await nats.restart()
    await untilAllAre(200, /^ok$/m)
  })

  it('is not ready while the API server is away, says so, lives, and comes back', async () => {
    await untilAllAre(200, /^ok$/m)

    await plane.kill()
    await untilAllAre(503, /^(kubernetes|hypervisor) is not ready$/m)

    await plane.restart()
    await untilAllAre(200, /^ok$/m)
  })

  it('ends with code 0 when it is told to stop', async () => {
    for (const { process } of services) {
      // Fails for any other code.
      await process.stop()
      expect(process.log()).toMatch(/ INFO nova\.service \[.*\] Stopping service=/)
    }
  })
})
