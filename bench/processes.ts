import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** How many of the kernel's ticks make a second. */
export const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** CPU seconds a process has used since it began, in user and kernel mode, all threads. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in parentheses, may have blanks in it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

export interface Memory {
  /** Resident set, MB. */
  readonly rss: number
  /** The most it ever was. */
  readonly peak: number
  /** Of the resident set, what is this process' alone or its share of what it has in common with others. */
  readonly pss: number
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return {
    rss: megabytes(status, 'VmRSS'),
    peak: megabytes(status, 'VmHWM'),
    pss: megabytes(rollup, 'Pss'),
  }
}

function megabytes(text: string, name: string): number {
  const [, kibibytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text) ?? []
  return (Number(kibibytes) * 1024) / 1e6
}
