import { afterAll, describe, expect, it } from 'vitest'
import { describeAggregates } from '../scenarios/aggregates.ts'
import { describeBadInput } from '../scenarios/bad-input.ts'
import { describeBuildSlots } from '../scenarios/build-slots.ts'
import { describeCarriedFlavors } from '../scenarios/carried-flavors.ts'
import { describeCarriedImages } from '../scenarios/carried-images.ts'
import { describeChaos } from '../scenarios/chaos.ts'
import { describeDeadPeers } from '../scenarios/dead-peers.ts'
import { describeExamples } from '../scenarios/examples.ts'
import { describeFailedBuilds } from '../scenarios/failed-builds.ts'
import { describeGuests } from '../scenarios/guest.ts'
import { describeHostsDown } from '../scenarios/hosts-down.ts'
import { describeKills } from '../scenarios/kills.ts'
import { describeKubectl } from '../scenarios/kubectl.ts'
import { describeLifeCycle } from '../scenarios/life-cycle.ts'
import { describeLocks } from '../scenarios/locks.ts'
import { describeMessages } from '../scenarios/messages.ts'
import { describeMoves } from '../scenarios/moves.ts'
import { describePlacement } from '../scenarios/placement.ts'
import { describeNoKubeVirt } from '../scenarios/no-kubevirt.ts'
import { describeOperationKills } from '../scenarios/operation-kills.ts'
import { describeOperations } from '../scenarios/operations.ts'
import { describeRaces } from '../scenarios/races.ts'
import { SharedWorlds } from '../scenarios/shared-worlds.ts'
import { describeTwoSchedulers } from '../scenarios/two-schedulers.ts'
import type { Manifest } from './chart.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { makeRealWorld } from './real-world.ts'
import { grantedRights, RightsAudit } from './rights-used.ts'
import { setupNeeded } from './setup-needed.ts'
import { describeWhoAsked } from './who-asked.ts'

const needed = setupNeeded()
if (needed !== undefined) console.log(needed)

const SERVICES = ['api', 'scheduler', 'conductor', 'compute']

/** What these scenarios do not come to. */
const SELDOM: ReadonlySet<string> = new Set([
  // A record goes seven days after its operation finished.
  'api: delete compute.kilonova.dev/instanceactions',
  // The same event again, within minutes.
  'api: patch events',
  'scheduler: patch events',
  'conductor: patch events',
  // A message came before the watch told of its instance.
  'scheduler: get compute.kilonova.dev/instances',
  'scheduler: get compute.kilonova.dev/servergroups',
  // A host was said to be down and its instance evacuated before the watch told of it.
  'scheduler: get compute.kilonova.dev/computenodes',
  // An agent that died in a build asks anew what to build, and the conductor's caches know it not.
  'conductor: get compute.kilonova.dev/flavors',
  'conductor: get compute.kilonova.dev/images',
  // What the driver is not asked to do here: driver-kubevirt.test.ts asks it.
  'compute: delete kubevirt.io/virtualmachineinstancemigrations',
  'compute: create snapshot.kubevirt.io/virtualmachinesnapshots',
  'compute: get snapshot.kubevirt.io/virtualmachinesnapshots',
  'compute: list snapshot.kubevirt.io/virtualmachinesnapshots',
  'compute: watch snapshot.kubevirt.io/virtualmachinesnapshots',
  'compute: get snapshot.kubevirt.io/virtualmachinesnapshotcontents',
  'compute: patch persistentvolumeclaims',
  'conductor: create compute.kilonova.dev/images',
  'compute: delete cdi.kubevirt.io/datavolumes',
  'conductor: delete pods',
  // It says whose a snapshot is, and some clusters have this right needed for that.
  'conductor: delete snapshot.kubevirt.io/virtualmachinesnapshots',
  'compute: list pods',
  'compute: get pods/log',
])

/** Worlds as the chart installs them, and what was asked of their API servers. */
function installedWorlds(): {
  readonly worlds: SharedWorlds
  readonly audit: RightsAudit
  readonly manifests: () => readonly Manifest[]
} {
  const folder = makeFolder('rights')
  const audit = new RightsAudit(folder)
  let manifests: readonly Manifest[] = []
  const worlds = new SharedWorlds((options) =>
    makeRealWorld(options, {
      apiserverArgs: audit.args(),
      installed: (installation) => {
        manifests = installation.manifests
      },
    }),
  )
  afterAll(async () => {
    await worlds.stop()
    removeFolder(folder)
  })
  return { worlds, audit, manifests: () => manifests }
}

describe.skipIf(needed !== undefined)(
  'on kube-apiserver, etcd and nats-server, as the chart has them',
  () => {
    const { worlds, audit, manifests } = installedWorlds()

    describeWhoAsked(worlds.make)
    describeLifeCycle(worlds.make)
    describeBadInput(worlds.make)
    describeFailedBuilds(worlds.make)
    describeBuildSlots(worlds.make)
    describePlacement(worlds.make)
    describeAggregates(worlds.make)
    describeRaces(worlds.make)
    describeLocks(worlds.make)
    describeKubectl(worlds.make)
    describeExamples(worlds.make)
    describeGuests(worlds.make)
    describeOperations(worlds.make)
    describeMoves(worlds.make)
    describeCarriedFlavors(worlds.make)
    describeCarriedImages(worlds.make)
    describeNoKubeVirt(worlds.make)

    describe('afterwards', () => {
      it('nobody was refused what they asked for', () => {
        expect(audit.read().refused).toEqual([])
      })

      it('no right is there that nobody uses', () => {
        const { used } = audit.read()
        const idle = grantedRights(manifests(), SERVICES).filter((right) => !used.has(right))
        expect(idle.filter((right) => !SELDOM.has(right))).toEqual([])
      })
    })
  },
)

describe.skipIf(needed !== undefined)('on the same, breaking them', () => {
  const { worlds } = installedWorlds()

  describeDeadPeers(worlds.make)
  describeKills(worlds.make)
  // Processes take seconds to come back: those whose part it is to act.
  describeOperationKills(worlds.make, ['nova-compute', 'nova-conductor'])
  describeHostsDown(worlds.make)
  describeChaos(worlds.make)
})

describe.skipIf(needed !== undefined)('on a broker that lets everybody send everything', () => {
  const worlds = new SharedWorlds(makeRealWorld)
  afterAll(() => worlds.stop())

  describeMessages(worlds.make)
  describeTwoSchedulers(worlds.make)
})
