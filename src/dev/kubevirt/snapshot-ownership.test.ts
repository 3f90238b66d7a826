import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { IMAGE } from '../../apis/v1alpha1/image.ts'
import { SystemClock } from '../../common/clock.ts'
import { serviceContext } from '../../common/context.ts'
import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import { ApiError, isNotFound } from '../../kube/api-error.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { EmbeddedKube } from '../../testing/embedded-kube.ts'
import { FakeClock, settle } from '../../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../../testing/log-capture.ts'
import { recordWrites } from '../../testing/recording-client.ts'
import { until } from '../../testing/until.ts'
import { KubeVirtSnapshotOwnership } from '../../virt/kubevirt/snapshot-ownership.ts'
import {
  VIRTUAL_MACHINE_SNAPSHOT,
  type VirtualMachineSnapshot,
} from '../../virt/kubevirt/snapshot-resource.ts'
import { kubevirtCrds } from '../crds.ts'
import type { ImageReference } from '../../virt/snapshot-ownership.ts'

const ctx = serviceContext('req-1')
const GUEST = { namespace: 'default', name: 'web', uid: 'uid-of-web' }

let kube: EmbeddedKube
let client: HttpKubeClient
let logs: LogCapture
let ownership: KubeVirtSnapshotOwnership
let writes: string[]
let count = 0

beforeAll(async () => {
  kube = await EmbeddedKube.start({ crds: kubevirtCrds() })
})
afterAll(() => kube?.close())
afterEach(() => client.close())
beforeEach(() => {
  logs = captureLog()
  writes = []
  client = HttpKubeClient.fromKubeConfig({ server: kube.server.url }, { clock: new SystemClock() })
  ownership = new KubeVirtSnapshotOwnership({
    client: recordWrites(client, writes),
    clock: new FakeClock(),
    log: logs.log,
  })
})

async function putSnapshot(uid = GUEST.uid): Promise<VirtualMachineSnapshot> {
  return kube.client.create(VIRTUAL_MACHINE_SNAPSHOT, {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshot',
    metadata: {
      namespace: 'default',
      name: `copy-${++count}`,
      labels: { 'compute.kilonova.dev/instance-uid': uid },
    },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web' } },
  })
}

async function putImage(name: string): Promise<ImageReference> {
  const { apiVersion, kind, metadata } = await kube.putImage({ name })
  return { apiVersion, kind, name, uid: metadata.uid ?? '' }
}

function refusal(code: number, message: string): ApiError {
  return new ApiError({ code, reason: 'Refused', message })
}

const find = async (name: string): Promise<VirtualMachineSnapshot> =>
  kube.client.get(VIRTUAL_MACHINE_SNAPSHOT, { namespace: 'default', name })

const untilGone = async (name: string): Promise<void> =>
  until('the snapshot is gone', async () => find(name).then(() => false, isNotFound))

describe('a snapshot', () => {
  it('goes with its image, and not before', async () => {
    const { metadata } = await putSnapshot()
    const image = await putImage(metadata.name)

    await ownership.giveTo(ctx, GUEST, metadata.name, image)

    expect((await find(metadata.name)).metadata.ownerReferences).toEqual([image])
    await kube.client.delete(IMAGE, { name: image.name })
    await untilGone(metadata.name)
  })

  it('goes at once where its image is gone already', async () => {
    const { metadata } = await putSnapshot()
    const image = await putImage(metadata.name)
    await kube.client.delete(IMAGE, { name: image.name })

    await ownership.giveTo(ctx, GUEST, metadata.name, image)

    await untilGone(metadata.name)
  })

  it('is given once, however often that is asked for', async () => {
    const { metadata } = await putSnapshot()
    const image = await putImage(metadata.name)

    await ownership.giveTo(ctx, GUEST, metadata.name, image)
    await ownership.giveTo(ctx, GUEST, metadata.name, image)

    expect(writes).toEqual(['mergePatch virtualmachinesnapshots'])
  })

  it('of another guest is not touched, nor is one missed that is not there', async () => {
    const { metadata } = await putSnapshot('uid-of-another')
    const image = await putImage(metadata.name)

    for (const name of [metadata.name, 'none']) await ownership.giveTo(ctx, GUEST, name, image)

    expect(writes).toEqual([])
    expect(logs.at('WARNING')).toHaveLength(2)
  })

  it.each<{ what: string; call: 'get' | 'mergePatch'; error: ApiError }>([
    {
      what: 'by admission',
      call: 'mergePatch',
      error: refusal(403, `cannot set an ownerRef on a resource you can't delete`),
    },
    {
      what: 'by a policy',
      call: 'mergePatch',
      error: refusal(422, 'denied request: the conductor does not'),
    },
    {
      what: 'for want of a right',
      call: 'get',
      error: refusal(403, 'copy is forbidden: User "conductor" cannot get resource "snapshots"'),
    },
    { what: 'as a kind that is not served', call: 'get', error: refusal(404, '404 page not found') },
  ])('that is refused $what is given up: its image is there all the same', async ({ call, error }) => {
    const { metadata } = await putSnapshot()
    const image = await putImage(metadata.name)
    vi.spyOn(client, call).mockRejectedValue(error)
    const clock = new FakeClock()
    const refused = new KubeVirtSnapshotOwnership({ client, clock, log: logs.log })
    let outcome: unknown

    void refused.giveTo(ctx, GUEST, metadata.name, image).then(
      () => (outcome = 'the image stands'),
      (thrown: unknown) => (outcome = thrown),
    )
    await until('it is given up', async () => {
      await clock.advance(1_000)
      return outcome !== undefined
    })

    expect(outcome).toBe('the image stands')
    expect(logs.at('WARNING').join()).toContain('cannot go with its image')
  })

  it('waits for an API server that has just started and does not serve it yet', async () => {
    const { metadata } = await putSnapshot()
    const image = await putImage(metadata.name)
    vi.spyOn(client, 'get').mockRejectedValueOnce(refusal(404, '404 page not found'))
    const clock = new FakeClock()

    const given = new KubeVirtSnapshotOwnership({ client, clock, log: logs.log })
      .giveTo(ctx, GUEST, metadata.name, image)
      .then(() => true)
    await until('it is over', async () => {
      await clock.advance(1_000)
      return Promise.race([given, settle().then(() => false)])
    })

    expect((await find(metadata.name)).metadata.ownerReferences).toEqual([image])
  })

  it('is given by whoever tries again where Kubernetes could not be asked', async () => {
    const clock = new SystemClock()
    const broken = HttpKubeClient.fromKubeConfig({ server: 'http://127.0.0.1:1' }, { clock })
    const fake = new FakeClock()
    const cut = new KubeVirtSnapshotOwnership({ client: broken, clock: fake, log: logs.log })
    let error: unknown

    void cut
      .giveTo(ctx, GUEST, 'copy', { apiVersion: 'v1', kind: 'Image', name: 'copy', uid: 'u' })
      .catch((thrown: unknown) => (error = thrown))

    await until('it is given up', async () => {
      await fake.advance(1_000)
      return error !== undefined
    })
    expect(error).toBeInstanceOf(KubernetesUnavailable)
    await broken.close()
  })
})
