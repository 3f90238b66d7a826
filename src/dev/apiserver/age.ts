const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY

/** A duration as kubectl prints an age: two units at most, fewer the longer it is. */
export function humanDuration(ms: number): string {
  const count = (unit: number): number => Math.floor(ms / unit)
  const pair = (big: number, bigName: string, small: number, smallName: string): string => {
    const rest = Math.floor((ms % big) / small)
    return rest === 0 ? `${count(big)}${bigName}` : `${count(big)}${bigName}${rest}${smallName}`
  }
  if (ms < -SECOND) return '<invalid>'
  if (ms < 0) return '0s'
  if (ms < 2 * MINUTE) return `${count(SECOND)}s`
  if (ms < 10 * MINUTE) return pair(MINUTE, 'm', SECOND, 's')
  if (ms < 3 * HOUR) return `${count(MINUTE)}m`
  if (ms < 8 * HOUR) return pair(HOUR, 'h', MINUTE, 'm')
  if (ms < 2 * DAY) return `${count(HOUR)}h`
  if (ms < 8 * DAY) return pair(DAY, 'd', HOUR, 'h')
  if (ms < 2 * YEAR) return `${count(DAY)}d`
  if (ms < 8 * YEAR) return pair(YEAR, 'y', DAY, 'd')
  return `${count(YEAR)}y`
}

/** The age of a timestamp, `<unknown>` when there is none. */
export function ageOf(timestamp: unknown, now: number): string {
  if (typeof timestamp !== 'string' || timestamp === '') return '<unknown>'
  const born = Date.parse(timestamp)
  return Number.isNaN(born) ? '<invalid>' : humanDuration(now - born)
}

/** A time as Kubernetes writes it: RFC 3339 in whole seconds. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
