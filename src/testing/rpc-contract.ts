import { describe } from 'vitest'
import { describeBadMessage } from './rpc-contract/bad-message.ts'
import { describeBroker } from './rpc-contract/broker.ts'
import { describeCall } from './rpc-contract/call.ts'
import { describeCast } from './rpc-contract/cast.ts'
import { describeContext } from './rpc-contract/context.ts'
import { describeFanout } from './rpc-contract/fanout.ts'
import { describeSender } from './rpc-contract/sender.ts'
import { describeStop } from './rpc-contract/stop.ts'
import { useTrial } from './rpc-contract/trial.ts'
import type { RpcWorld } from './rpc-contract/world.ts'

/** The behaviour every transport owes to RpcClient and RpcServer. */
export function describeRpcContract(name: string, makeWorld: () => Promise<RpcWorld>): void {
  describe(`${name}: rpc`, () => {
    const trial = useTrial(makeWorld)
    describeCast(trial)
    describeCall(trial)
    describeFanout(trial)
    describeSender(trial)
    describeContext(trial)
    describeBadMessage(trial)
    describeStop(trial)
    describeBroker(trial)
  })
}
