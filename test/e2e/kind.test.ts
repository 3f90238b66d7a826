import { afterAll, describe } from 'vitest'
import { describeBadInput } from '../scenarios/bad-input.ts'
import { describeDeadPeers } from '../scenarios/dead-peers.ts'
import { describeExamples } from '../scenarios/examples.ts'
import { describeFailedBuilds } from '../scenarios/failed-builds.ts'
import { describeGuests } from '../scenarios/guest.ts'
import { describeHostsDown } from '../scenarios/hosts-down.ts'
import { describeKills } from '../scenarios/kills.ts'
import { describeKubectl } from '../scenarios/kubectl.ts'
import { describeLifeCycle } from '../scenarios/life-cycle.ts'
import { describeLocks } from '../scenarios/locks.ts'
import { bePatient } from '../scenarios/patience.ts'
import { describeRaces } from '../scenarios/races.ts'
import { type ClusterWorld, openClusterWorld } from './cluster-world.ts'
import { describeDrain } from './drain.ts'
import { describePods } from './pods-killed.ts'

/** Set by `npm run e2e`. */
const kubeconfig = process.env['KILONOVA_E2E_KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('on kind, with KubeVirt and the chart', () => {
  // An emulated guest takes a minute where a simulated one takes a second.
  bePatient(8)
  let opened: Promise<ClusterWorld> | undefined
  const open = async (): Promise<ClusterWorld> => (opened ??= openClusterWorld(kubeconfig ?? ''))
  afterAll(async () => {
    await (await opened)?.close()
  })

  describeLifeCycle(open, 'real')
  describeExamples(open)
  describeKubectl(open)
  describeBadInput(open)
  describeFailedBuilds(open, 'real')
  describeLocks(open, 'real')
  describeRaces(open, 'real')
  describeGuests(open, 'real')
  describeHostsDown(open, 'real')
  describeKills(open, 'real')
  describeDeadPeers(open, 'real')
  describePods(open)
  describeDrain(open)
})
