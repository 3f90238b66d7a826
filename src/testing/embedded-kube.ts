import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { FLAVOR, type Flavor } from '../apis/v1alpha1/flavor.ts'
import { IMAGE, type Image } from '../apis/v1alpha1/image.ts'
import { INSTANCE, type Instance, type InstanceSpec, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION, type InstanceAction } from '../apis/v1alpha1/instance-action.ts'
import { SystemClock } from '../common/clock.ts'
import { ApiServer, type ApiServerOptions } from '../dev/apiserver/server.ts'
import { installCrds, kilonovaCrds } from '../dev/crds.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { parseKubeConfig } from '../kube/kube-config.ts'
import { makeComputeNode, makeFlavor, makeImage, makeInstance } from './builders.ts'

/** The embedded API server with our own CRDs, a client of it, and short ways to put objects there. */
export class EmbeddedKube {
  readonly server: ApiServer
  readonly client: HttpKubeClient

  private constructor(server: ApiServer, client: HttpKubeClient) {
    this.server = server
    this.client = client
  }

  /** @param settings.crds definitions to be there beside ours */
  static async start(settings: Pick<ApiServerOptions, 'crds'> = {}): Promise<EmbeddedKube> {
    const clock = new SystemClock()
    const server = new ApiServer({}, settings)
    await server.start()
    const client = HttpKubeClient.fromKubeConfig(parseKubeConfig(server.kubeconfig(), 'embedded'), { clock })
    await installCrds({ client, clock }, kilonovaCrds(), { replace: false })
    return new EmbeddedKube(server, client)
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.server.stop()
  }

  /** Creates an instance as a user does; with a `status`, then makes that the whole of its status. */
  async putInstance(
    fields: {
      readonly name?: string
      readonly finalizers?: string[]
      readonly annotations?: Record<string, string>
      readonly spec?: Partial<InstanceSpec>
      readonly status?: InstanceStatus
    } = {},
  ): Promise<Instance> {
    const { name = 'web', finalizers, annotations, spec, status } = fields
    const { apiVersion, kind, spec: fullSpec } = makeInstance({ ...(spec && { spec }) })
    const metadata = {
      namespace: 'default',
      name,
      ...(finalizers && { finalizers }),
      ...(annotations && { annotations }),
    }
    // A user writes no status.
    const created = await this.client.create(INSTANCE, {
      apiVersion,
      kind,
      metadata,
      spec: fullSpec,
    } as Instance)
    return status ? this.setStatus(name, status) : created
  }

  /** Makes this the whole of an instance's status. */
  async setStatus(name: string, status: InstanceStatus): Promise<Instance> {
    const held = await this.instance(name)
    return this.client.replace(INSTANCE, { ...held, status }, { subresource: 'status' })
  }

  async instance(name = 'web'): Promise<Instance> {
    return this.client.get(INSTANCE, { namespace: 'default', name })
  }

  async action(name: string): Promise<InstanceAction> {
    return this.client.get(INSTANCE_ACTION, { namespace: 'default', name })
  }

  async actions(): Promise<readonly InstanceAction[]> {
    return (await this.client.list(INSTANCE_ACTION, { namespace: 'default' })).items
  }

  async putNode(fields: Parameters<typeof makeComputeNode>[0] = {}): Promise<ComputeNode> {
    const node = makeComputeNode(fields)
    await this.client.create(COMPUTE_NODE, node)
    const { metadata, status } = node
    return this.client.mergePatch(
      COMPUTE_NODE,
      { name: metadata.name },
      { status },
      { subresource: 'status' },
    )
  }

  async putFlavor(fields: Parameters<typeof makeFlavor>[0] = {}): Promise<Flavor> {
    return this.client.create(FLAVOR, makeFlavor(fields))
  }

  async putImage(fields: Parameters<typeof makeImage>[0] = {}): Promise<Image> {
    return this.client.create(IMAGE, makeImage(fields))
  }
}
