export type Log = (line: string) => void

const TICK_MS = 15_000

export function elapsed(sinceMs: number, nowMs = Date.now()): string {
  const seconds = Math.round((nowMs - sinceMs) / 1000)
  return seconds < 60
    ? `${seconds}s`
    : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`
}

/** Says every 15 seconds how a long piece of work is getting on, so that nobody takes it for a hang. */
export async function withTicks<T>(log: Log, describe: () => string, work: () => Promise<T>): Promise<T> {
  const began = Date.now()
  const timer = setInterval(() => log(`${describe()}, ${elapsed(began)}`), TICK_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
