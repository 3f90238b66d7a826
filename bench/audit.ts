import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Counts } from './statistics.ts'
import { isLease, writeName } from './writes.ts'

/** Who did what, but not with which words. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`

interface AuditEntry {
  readonly stage: string
  readonly verb: string
  readonly user: { readonly username: string }
  readonly objectRef?: { readonly resource: string; readonly subresource?: string }
  readonly responseStatus?: { readonly code?: number }
  readonly requestReceivedTimestamp: string
}

const METHODS: Readonly<Record<string, string>> = {
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
}

/** What users did while something went on: writes, reads, and renewals of leases. */
export interface Doings {
  /** By user: writes by name. */
  readonly writes: Readonly<Record<string, Counts>>
  /** By user: `get nodes`, `list instances`, `watch instances`. */
  readonly reads: Readonly<Record<string, Counts>>
  readonly leases: Readonly<Record<string, Counts>>
}

/** Reads the audit log piece by piece. */
export class AuditLog {
  readonly #file: string
  #offset = 0

  constructor(file: string) {
    this.#file = file
  }

  /** What was logged since the last time, and in all the time before, when it is the first. */
  async next(): Promise<Doings> {
    // An entry is written when its answer is on the way.
    await sleep(200)
    const text = readFileSync(this.#file).subarray(this.#offset)
    const end = text.lastIndexOf('\n') + 1
    this.#offset += end
    const lines = text.subarray(0, end).toString().split('\n')
    return doingsOf(lines.filter((line) => line !== '').map((line) => JSON.parse(line) as AuditEntry))
  }
}

function doingsOf(entries: readonly AuditEntry[]): Doings {
  const doings = { writes: new Tally(), reads: new Tally(), leases: new Tally() }
  for (const { stage, verb, user, objectRef, responseStatus } of entries) {
    const isOpening = verb === 'watch' && stage === 'ResponseStarted'
    if (!objectRef || (stage !== 'ResponseComplete' && !isOpening)) continue
    // A watch is told of when it begins and again when it ends.
    if (verb === 'watch' && !isOpening) continue
    const { resource, subresource = '' } = objectRef
    const method = METHODS[verb]
    const name = writeName(method ?? verb, resource, subresource, responseStatus?.code ?? 200)
    if (isLease(name)) doings.leases.add(user.username, name)
    else if (method === undefined) doings.reads.add(user.username, name)
    else doings.writes.add(user.username, name)
  }
  return { writes: doings.writes.counts, reads: doings.reads.counts, leases: doings.leases.counts }
}

class Tally {
  readonly counts: Record<string, Record<string, number>> = {}

  add(user: string, name: string): void {
    const own = (this.counts[user] ??= {})
    own[name] = (own[name] ?? 0) + 1
  }
}
