import type { Placement } from '../objects/action-progress.ts'
import { explainNoValidHost, passedOf } from './placement.ts'

/** Why a host was chosen, in lines to read. */
export function describePlacement(placement: Placement, alternates: readonly string[] = []): string {
  const { host, considered, filters, weighed } = placement
  const head =
    host === ''
      ? [`No valid host was found. ${explainNoValidHost(placement)}`]
      : [`Host:        ${host}, the best of ${passedOf(placement)} that passed, of ${considered} considered`]
  if (alternates.length > 0) head.push(`Alternates:  ${alternates.join(', ')}`)
  const width = Math.max(0, ...filters.map(({ name }) => name.length))
  const told = filters.map(({ name, removed, reasons }) =>
    `  ${name.padEnd(width)}  took out ${removed}${reasons.length > 0 ? `: ${reasons.join(' | ')}` : ''}`.trimEnd(),
  )
  const hostWidth = Math.max(0, ...weighed.map((one) => one.host.length))
  const best = weighed.map(({ host: name, weight, weighers = {} }) => {
    const shares = Object.entries(weighers).map(([weigher, share]) => `${weigher} ${share}`)
    return `  ${name.padEnd(hostWidth)}  ${weight}${shares.length > 0 ? ` (${shares.join(', ')})` : ''}`
  })
  return [
    ...head,
    ...(told.length > 0 ? ['Filters:', ...told] : []),
    ...(best.length > 0 ? ['Weights of the best:', ...best] : []),
    '',
  ].join('\n')
}
