import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** One line of a service's log about a request. */
export interface WalkStep {
  readonly service: string
  /** `2026-11-22 06:20:11.123` */
  readonly time: string
  readonly logger: string
  readonly message: string
}

/** `time pid LEVEL logger [request …] [instance: …] message`, as `common/log.ts` writes it. */
const LINE = /^(\S+ \S+) \d+ [A-Z]+ (\S+) \[[^\]]*\](?: \[instance: [^\]]*\])? (.*)$/

/** The lines of all services about one request, in the order of their times: the way it went. */
export function readWalk(logFiles: readonly string[], requestId: string): readonly WalkStep[] {
  return logFiles
    .flatMap((file) => stepsOf(basename(file, '.log'), readFileSync(file, 'utf8'), requestId))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
}

function stepsOf(service: string, text: string, requestId: string): readonly WalkStep[] {
  return text
    .split('\n')
    .filter((line) => line.includes(requestId))
    .flatMap((line) => {
      const [, time, logger, message] = LINE.exec(line) ?? []
      return time && logger && message ? [{ service, time, logger, message }] : []
    })
}

/** The walk as lines for people, with the milliseconds since its first step. */
export function printWalk(steps: readonly WalkStep[]): string {
  const first = steps[0] ? at(steps[0]) : 0
  const width = Math.max(0, ...steps.map((step) => step.service.length))
  return steps
    .map((step) => {
      const ms = `+${at(step) - first} ms`.padStart(9)
      return `  ${ms}  ${step.service.padEnd(width)}  ${step.message}`
    })
    .join('\n')
}

function at(step: WalkStep): number {
  return Date.parse(`${step.time.replace(' ', 'T')}Z`)
}
