import { describe } from 'vitest'
import { describeLifeCycle } from '../scenarios/life-cycle.ts'
import { makeRealWorld } from './real-world.ts'
import { setupNeeded } from './setup-needed.ts'

describe.skipIf(setupNeeded() !== undefined)('on kube-apiserver, etcd and nats-server', () => {
  describeLifeCycle(makeRealWorld)
})
