import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { SystemClock, toTimestamp } from '../../src/common/clock.ts'
import { installCrds, kilonovaCrds } from '../../src/dev/crds.ts'
import { createNode } from '../../src/dev/nodes.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { eventually } from '../scenarios/eventually.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { kubevirtCrdFiles } from './parts/crds.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { ServiceProcess } from './service-process.ts'
import { setupNeeded } from './setup-needed.ts'

const CENTRAL = ['api', 'scheduler', 'conductor']
const SERVICES = [...CENTRAL, 'compute']

/** Everything that a service needs comes after it, one thing after the other. */
describe.skipIf(setupNeeded() !== undefined)('services that find nothing of what they need', () => {
  const clock = new SystemClock()
  const folder = makeFolder('waiting')
  const processes = new Map<string, ServiceProcess>()
  let plane: ControlPlane
  let nats: NatsServer
  let started: Promise<unknown>

  beforeAll(async () => {
    ;[plane, nats] = await Promise.all([startControlPlane(), startNats()])
    await Promise.all([plane.kill(), nats.kill()])
    for (const service of SERVICES) {
      const args = service === 'compute' ? [service, '--host', 'node-1'] : [service]
      const env = { KILONOVA_KUBECONFIG: plane.kubeconfigPath, KILONOVA_MESSAGING: nats.url }
      processes.set(service, new ServiceProcess(args, env, join(folder, `${service}.log`)))
    }
    started = Promise.all([...processes.values()].map((process) => process.start()))
    // Looked at when it must be over; until then a failure is no crash of the test.
    started.catch(() => undefined)
  })
  afterAll(async () => {
    await Promise.all([...processes.values()].map((process) => process.kill()))
    await Promise.all([plane?.stop(), nats?.stop()])
    removeFolder(folder)
  })

  const lines = (service: string, what: RegExp): readonly string[] =>
    (processes.get(service)?.log() ?? '').split('\n').filter((line) => what.test(line))
  const says = async (service: string, what: RegExp): Promise<void> => {
    await eventually(`${service} says ${what}`, () => lines(service, what).length > 0)
  }

  it('say that the broker is not there, and wait', async () => {
    for (const service of SERVICES) {
      await says(service, / INFO nova\.rpc\.nats .* Waiting for the message broker .*connection refused/)
    }
  })

  it('say that Kubernetes is not there, and wait', async () => {
    await nats.restart()

    for (const service of CENTRAL) {
      await says(
        service,
        / WARNING nova\.kube .* The Kubernetes API cannot be used yet; waiting for it .*ECONNREFUSED/,
      )
    }
    await says('compute', / WARNING nova.* KubeVirt cannot be used yet; waiting for it .*ECONNREFUSED/)
  })

  it('say that definitions are not there, and wait', async () => {
    await plane.restart()

    for (const service of CENTRAL) {
      await says(
        service,
        / WARNING nova\.kube .* Kilonova's definitions are not installed: no resource \w+\.compute/,
      )
    }
    await says(
      'compute',
      / WARNING nova.* KubeVirt is not installed: no resource virtualmachines\.kubevirt\.io/,
    )
  })

  it('start when everything is there, and have said each thing once', async () => {
    const client = HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
    await createNode(client, 'node-1', toTimestamp(clock.now()))
    const kubevirt = kubevirtCrdFiles().map((file) => parse(readFileSync(file, 'utf8')))
    await installCrds({ client, clock }, [...kilonovaCrds(), ...kubevirt], { replace: false })
    await client.close()

    await started
    for (const service of SERVICES) {
      expect(lines(service, /Waiting for the message broker/)).toHaveLength(1)
      expect(
        lines(service, /The Kubernetes API cannot be used yet|KubeVirt cannot be used yet/),
      ).toHaveLength(1)
      expect(lines(service, /not installed: /)).toHaveLength(1)
    }
  })
})
