import { COMPUTE_TOPIC } from '../compute/rpcapi.ts'
import type { RpcServer } from '../rpc/server.ts'
import type { Transport } from '../rpc/transport.ts'
import { hostOfSender } from './compute-rights.ts'
import { computeQueueDeclare } from './rpcapi.ts'

/**
 * Declares the queues of compute agents, each its own at its asking. An agent may not do it itself: who sets a
 * queue up can have the broker send things in its own name.
 */
export function serveComputeQueues(server: RpcServer, transport: Pick<Transport, 'declareQueue'>): void {
  server.handle(computeQueueDeclare, async (_ctx, _args, { sender }) =>
    transport.declareQueue({ topic: COMPUTE_TOPIC, host: hostOfSender(sender) }),
  )
}
