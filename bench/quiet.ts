import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { TICKS } from './processes.ts'

/** Cores that others' work may take from a run that is called undisturbed. */
export const QUIET_CORES = 0.25
const LOOK_MS = 5_000

/** CPU seconds that were used on this machine since it started, by whoever, and those its host took away. */
export function busySeconds(): number {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = first
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) / TICKS
}

/** Waits until others leave the machine alone, or have not done so for too long. */
export async function untilQuiet(say: (line: string) => void, patienceMs: number): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  for (let isSaid = false; ; isSaid = true) {
    const before = busySeconds()
    await sleep(LOOK_MS)
    const cores = (busySeconds() - before) / (LOOK_MS / 1000)
    if (cores < QUIET_CORES || performance.now() > deadlineMs) return
    if (!isSaid) say(`waiting for a quiet machine: others use ${cores.toFixed(1)} cores`)
  }
}
