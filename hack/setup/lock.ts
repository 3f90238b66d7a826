import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LockOptions {
  readonly signal: AbortSignal
  /** Told once, with the process id of the run that has the lock. */
  readonly onWait: (holder: number) => void
  readonly pollMs?: number
}

/**
 * Keeps a second run from doing the same minutes of work. It saves work and no more: what makes concurrent
 * runs safe is the rename into the cache, so taking a lock over wrongly does no harm.
 */
export async function withLock<T>(file: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true })
  let told = false
  while (!take(file)) {
    const holder = holderOf(file)
    if (holder === undefined) continue
    if (!isAlive(holder)) {
      rmSync(file, { force: true })
      continue
    }
    if (!told) options.onWait(holder)
    told = true
    await sleep(options.pollMs ?? 500, undefined, { signal: options.signal })
  }
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}

/** By a hard link, which fails if the lock is there and never shows it without its holder's id. */
function take(file: string): boolean {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, String(process.pid))
  try {
    linkSync(mine, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Undefined when the lock was given back meanwhile. */
function holderOf(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
