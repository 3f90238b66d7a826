import { IMAGE, type Image } from '../apis/v1alpha1/image.ts'
import type { RequestContext } from '../common/context.ts'
import { Forbidden } from '../common/errors/access.ts'
import { ImageConflict } from '../common/errors/flavor-and-image.ts'
import type { Logger } from '../common/log.ts'
import { isAlreadyExists } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { apiVersionOf } from '../kube/resource.ts'
import type { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import type { SnapshotOwnership } from '../virt/snapshot-ownership.ts'
import type { ImageCreateArgs } from './rpcapi.ts'

/** Which request an image was made by: the same one may ask again. */
const REQUEST_ANNOTATION = 'compute.kilonova.dev/request-id'
const INSTANCE_LABEL = 'compute.kilonova.dev/instance'

/** Makes the Images that snapshots are taken for. Nova has the image service do it. */
export class SnapshotImages {
  readonly #client: KubeClient
  readonly #instances: InstanceStore
  readonly #requests: BuildRequestResolver
  readonly #snapshots: SnapshotOwnership
  readonly #log: Logger

  constructor(deps: {
    readonly client: KubeClient
    readonly instances: InstanceStore
    readonly requests: BuildRequestResolver
    readonly snapshots: SnapshotOwnership
    readonly log: Logger
  }) {
    this.#client = deps.client
    this.#instances = deps.instances
    this.#requests = deps.requests
    this.#snapshots = deps.snapshots
    this.#log = deps.log.named('nova.conductor.manager')
  }

  /**
   * Makes the image that the operation in flight asked for, with the properties of the one the instance was made from. Its snapshot
   * goes when it is deleted.
   * @throws Forbidden when no snapshot of the instance is being taken on that host, or the source is none of its project
   * @throws ImageConflict when another image has that name
   */
  async create(ctx: RequestContext, host: string, { instance: ref, source }: ImageCreateArgs): Promise<void> {
    const instance = await this.#instances.get(ref)
    const { taskState, action, host: on } = instance.status
    if (taskState !== 'image_snapshot' || on !== host || action?.imageName === undefined) {
      throw new Forbidden({ reason: `no snapshot of instance ${ref.uid} is being taken on ${host}` })
    }
    // Whoever may use images could read by it whatever a stolen agent names: of the instance's own project, and nothing but a snapshot.
    if (!('snapshot' in source) || source.snapshot.namespace !== ref.namespace) {
      throw new Forbidden({
        reason: `the image of instance ${ref.uid} must be of a snapshot in ${ref.namespace}`,
      })
    }
    const { minRamMb, minDiskGb, properties } = await this.#requests.imageOf(instance)
    const image: Image = {
      apiVersion: apiVersionOf(IMAGE),
      kind: IMAGE.kind,
      metadata: {
        name: action.imageName,
        labels: { [INSTANCE_LABEL]: ref.name },
        annotations: { [REQUEST_ANNOTATION]: ctx.requestId },
      },
      spec: { minRamMb, minDiskGb, properties, dataVolume: source },
    }
    const { metadata } = await this.#make(image)
    this.#log.with(ctx, ref.uid).info('Created image', { image: metadata.name })
    const { name, uid = '' } = metadata
    const { apiVersion, kind } = image
    // The agent has the snapshot named as the image.
    await this.#snapshots.giveTo(ctx, ref, name, { apiVersion, kind, name, uid })
  }

  /**
   * Makes it, or takes the one of the same request.
   * @throws ImageConflict
   */
  async #make(image: Image): Promise<Image> {
    try {
      return await this.#client.create(IMAGE, image)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    const { name, annotations } = image.metadata
    const there = await this.#client.get(IMAGE, { name })
    if (there.metadata.annotations?.[REQUEST_ANNOTATION] === annotations?.[REQUEST_ANNOTATION]) return there
    throw new ImageConflict({ image: name })
  }
}
