import { z } from 'zod'
import type { RequestContext } from '../../common/context.ts'
import { defineMethod } from '../../rpc/method.ts'

export const CTX: RequestContext = {
  requestId: 'req-00000000-0000-4000-8000-000000000001',
  globalRequestId: 'req-00000000-0000-4000-8000-000000000002',
  user: 'jürgen, "the admin" <j@example.com>',
  project: 'blue',
}

export const WORK = defineMethod({ name: 'work', version: '1.0', args: z.object({ n: z.number() }) })
export const ADD = defineMethod({
  name: 'add',
  version: '1.1',
  args: z.object({ a: z.number(), b: z.number() }),
  result: z.object({ sum: z.number() }),
})

export const HOST = { topic: 'compute', host: 'node-1.example.com' }
export const ALL = { topic: 'scheduler' }
