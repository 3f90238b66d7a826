import { describe } from 'vitest'
import { describeConsole } from './driver-contract/console.ts'
import { describeLifetime } from './driver-contract/lifetime.ts'
import { describeMoves } from './driver-contract/moves.ts'
import { describePause } from './driver-contract/pause.ts'
import { describePower } from './driver-contract/power.ts'
import { describeReboot } from './driver-contract/reboot.ts'
import { describeRescue } from './driver-contract/rescue.ts'
import { describeSpawn } from './driver-contract/spawn.ts'
import { useTrial } from './driver-contract/trial.ts'
import type { DriverWorld } from './driver-contract/world.ts'

export { type DriverWorld, HOSTS } from './driver-contract/world.ts'

/** The contract of `ComputeDriver` as tests. Every driver passes it: `describeDriverContract('fake', makeWorld)`. */
export function describeDriverContract(driverName: string, makeWorld: () => Promise<DriverWorld>): void {
  describe(`the driver contract on ${driverName}`, () => {
    const trial = useTrial(makeWorld)
    describeSpawn(trial)
    describePower(trial)
    describePause(trial)
    describeReboot(trial)
    describeRescue(trial)
    describeMoves(trial)
    describeConsole(trial)
    describeLifetime(trial)
  })
}
