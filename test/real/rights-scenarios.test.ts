import { afterAll, describe, expect, it } from 'vitest'
import { describeBadInput } from '../scenarios/bad-input.ts'
import { describeExamples } from '../scenarios/examples.ts'
import { describeFailedBuilds } from '../scenarios/failed-builds.ts'
import { describeGuests } from '../scenarios/guest.ts'
import { describeLifeCycle } from '../scenarios/life-cycle.ts'
import { describeLocks } from '../scenarios/locks.ts'
import { SharedWorlds } from '../scenarios/shared-worlds.ts'
import type { Manifest } from './chart.ts'
import { makeFolder, removeFolder } from './parts/folder.ts'
import { makeRealWorld } from './real-world.ts'
import { grantedRights, RightsAudit } from './rights-used.ts'
import { setupNeeded } from './setup-needed.ts'
import { describeWhoAsked } from './who-asked.ts'

const needed = setupNeeded('helm', 'kubectl')
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
  // An agent that died in a build asks anew what to build, and the conductor's caches know it not.
  'conductor: get compute.kilonova.dev/flavors',
  'conductor: get compute.kilonova.dev/images',
])

/** Each service has exactly the rights of the chart's account, and the chart's policies look at all it does. */
describe.skipIf(needed !== undefined)('under the chart’s rights', () => {
  const folder = makeFolder('rights')
  const audit = new RightsAudit(folder)
  let manifests: readonly Manifest[] = []
  const worlds = new SharedWorlds((options) =>
    makeRealWorld(options, {
      apiserverArgs: audit.args(),
      rights: (installation) => {
        manifests = installation.manifests
      },
    }),
  )
  afterAll(async () => {
    await worlds.stop()
    removeFolder(folder)
  })

  describeWhoAsked(worlds.make)
  describeLifeCycle(worlds.make)
  describeBadInput(worlds.make)
  describeFailedBuilds(worlds.make)
  describeLocks(worlds.make)
  describeExamples(worlds.make)
  describeGuests(worlds.make)

  describe('afterwards', () => {
    it('nobody was refused what they asked for', () => {
      expect(audit.read().refused).toEqual([])
    })

    it('no right is there that nobody uses', () => {
      const { used } = audit.read()
      const idle = grantedRights(manifests, SERVICES).filter((right) => !used.has(right))
      expect(idle.filter((right) => !SELDOM.has(right))).toEqual([])
    })
  })
})
