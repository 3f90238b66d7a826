import { type Logger, loggerTo } from '../common/log.ts'

/** A logger that keeps its lines, for tests that look at what was said. */
export interface LogCapture {
  readonly log: Logger
  readonly lines: string[]
  /** The lines of a level. */
  at(level: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR'): string[]
}

export function captureLog(): LogCapture {
  const lines: string[] = []
  return {
    log: loggerTo((line) => lines.push(line), { format: 'text', level: 'debug' }),
    lines,
    at: (level) => lines.filter((line) => line.includes(` ${level} nova`)),
  }
}
