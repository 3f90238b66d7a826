import { afterAll, beforeAll } from 'vitest'
import { SystemClock } from '../../common/clock.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { describeDriverContract } from '../../testing/driver-contract.ts'
import { makeKubeVirtWorld } from '../../testing/kubevirt-world.ts'
import { captureLog } from '../../testing/log-capture.ts'
import type { KubeVirtClient } from '../../virt/kubevirt/guest-requests.ts'
import { ApiServer } from '../apiserver/server.ts'
import { kubevirtCrds } from './crds.ts'
import type { KubeVirtStandIn } from './stand-in.ts'

const server = new ApiServer({}, { crds: kubevirtCrds() })
let client: HttpKubeClient

beforeAll(async () => {
  await server.start()
  client = makeClient()
})

afterAll(async () => {
  await client.close()
  await server.stop()
})

function makeClient(): HttpKubeClient {
  return HttpKubeClient.fromKubeConfig({ server: server.url }, { clock: new SystemClock() })
}

/** As the embedded server does it: KubeVirt's own API is answered by the stand-in. */
function driverClient(standIn: KubeVirtStandIn): KubeVirtClient {
  return Object.assign(makeClient(), {
    request: async (method: string, path: string, body: string) => {
      const answer = await standIn.handleSubresource(method, path, JSON.parse(body))
      if (answer?.code !== 202) throw new Error(JSON.stringify(answer))
    },
  })
}

describeDriverContract('KubeVirt in the embedded cluster', async () =>
  makeKubeVirtWorld({ client, log: captureLog().log, driverClient }),
)
