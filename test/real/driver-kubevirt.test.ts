import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '../../src/common/clock.ts'
import { AggregatedApi } from '../../src/dev/kubevirt/aggregated-api.ts'
import { Kubelet } from '../../src/dev/kubevirt/kubelet.ts'
import { Subresources } from '../../src/dev/kubevirt/subresources.ts'
import { HttpKubeClient } from '../../src/kube/http-client.ts'
import { loadKubeConfig } from '../../src/kube/kube-config.ts'
import { describeDriverContract } from '../../src/testing/driver-contract.ts'
import { makeKubeVirtWorld } from '../../src/testing/kubevirt-world.ts'
import { captureLog } from '../../src/testing/log-capture.ts'
import { until } from '../../src/testing/until.ts'
import type { GuestSpec } from '../../src/virt/driver.ts'
import { toVirtualMachine } from '../../src/virt/kubevirt/to-virtual-machine.ts'
import { type ControlPlane, startControlPlane } from './parts/control-plane.ts'
import { KUBEVIRT_PATHS, kubevirtCrdFiles } from './parts/crds.ts'
import { setupNeeded } from './setup-needed.ts'

const needed = setupNeeded()
if (needed !== undefined) console.log(needed)

/** KubeVirt's kinds (its own CRDs where they can be had) on a real API server, run by the stand-in. */
describe.skipIf(needed !== undefined)('on a real API server', () => {
  const clock = new SystemClock()
  const { log } = captureLog()
  let plane: ControlPlane
  let client: HttpKubeClient
  let api: AggregatedApi
  let kubelet: Kubelet
  let kubeletPort: number

  beforeAll(async () => {
    plane = await startControlPlane()
    client = makeClient()
    for (const file of kubevirtCrdFiles()) await applyCrd(file)
    for (const path of KUBEVIRT_PATHS) {
      await until(`${path} is served`, async () => (await plane.request(path)).status === 200)
    }
    // One for all tests: the API server takes seconds to notice a new one.
    const subresources = new Subresources({ client, clock })
    api = new AggregatedApi(
      { client, clock, log },
      { handle: async (method, path, body) => subresources.handle(method, path, body) },
    )
    await api.start()
    kubelet = new Kubelet({ client, clock })
    kubeletPort = await kubelet.start()
  })

  afterAll(async () => {
    await kubelet?.stop()
    await api?.stop()
    await client?.close()
    await plane?.stop()
  })

  function makeClient(): HttpKubeClient {
    return HttpKubeClient.fromKubeConfig(loadKubeConfig({ path: plane.kubeconfigPath }), { clock })
  }

  async function applyCrd(file: string): Promise<void> {
    const name = file.slice(file.lastIndexOf('/') + 1).replace(/\.yaml$/, '')
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}?fieldManager=test`
    const headers = { 'content-type': 'application/apply-patch+yaml' }
    const body = readFileSync(file, 'utf8')
    const answer = await plane.request(path, { method: 'PATCH', headers, body })
    if (!answer.ok) throw new Error(`${file}: ${await answer.text()}`)
  }

  const plain: GuestSpec = {
    namespace: 'default',
    name: 'strict',
    uid: '0b0e6c4a-6f0e-4c1c-9a53-6a2f3a0c7d11',
    hostname: 'strict',
    vcpus: 2,
    memoryMb: 512,
    diskGb: 10,
    disk: { kind: 'containerDisk', image: 'quay.io/cirros' },
    properties: {},
  }

  // Strict: the server refuses a field that the schema has not got, instead of dropping it.
  it.each<{ name: string; guest: GuestSpec }>([
    { name: 'a plain guest', guest: plain },
    {
      name: 'one with every property',
      guest: {
        ...plain,
        properties: {
          hw_architecture: 'x86_64',
          hw_disk_bus: 'scsi',
          hw_vif_model: 'e1000e',
          hw_machine_type: 'q35',
          hw_firmware_type: 'uefi',
          img_config_drive: 'mandatory',
        },
        userData: 'IyEvYmluL3NoCg==',
      },
    },
    { name: 'one with BIOS', guest: { ...plain, properties: { hw_firmware_type: 'bios' } } },
    {
      name: 'one on a claim',
      guest: { ...plain, disk: { kind: 'persistentVolumeClaim', claimName: 'golden' } },
    },
    {
      name: 'one on an imported disk',
      guest: {
        ...plain,
        disk: { kind: 'dataVolume', source: { http: { url: 'http://x/y.img' } }, storageClassName: 'fast' },
        userDataSecret: 'mine',
      },
    },
    {
      name: 'one on a disk from a registry',
      guest: { ...plain, disk: { kind: 'dataVolume', source: { registry: { url: 'docker://x/y' } } } },
    },
    {
      name: 'one on a cloned disk',
      guest: {
        ...plain,
        disk: { kind: 'dataVolume', source: { pvc: { namespace: 'images', name: 'golden' } } },
      },
    },
    {
      name: 'one on a copied disk',
      guest: {
        ...plain,
        disk: { kind: 'dataVolume', source: { snapshot: { namespace: 'default', name: 'golden' } } },
      },
    },
  ])('the manifest of $name fits the schema', async ({ guest }) => {
    const placement = {
      host: 'node-1',
      architecture: 'x86_64',
      requestId: 'req-1',
      terminationGracePeriodSeconds: 3600,
    }
    const path = '/apis/kubevirt.io/v1/namespaces/default/virtualmachines?dryRun=All&fieldValidation=Strict'
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(toVirtualMachine(guest, placement))

    const answer = await plane.request(path, { method: 'POST', headers, body })

    expect({ status: answer.status, text: answer.ok ? '' : await answer.text() }).toEqual({
      status: 201,
      text: '',
    })
  })

  describeDriverContract('KubeVirt kinds', async () =>
    makeKubeVirtWorld({
      client,
      log,
      driverClient: makeClient,
      kubeletPort,
    }),
  )
})
