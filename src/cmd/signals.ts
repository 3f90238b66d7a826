import { constants } from 'node:os'

/** Waits for the process to be told to stop. A second signal ends it at once. */
export function untilSignalled(): {
  readonly signal: Promise<NodeJS.Signals>
  readonly isOver: () => boolean
} {
  let isOver = false
  const signal = new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => {
        // As if there were no handler: 130 and 143.
        if (isOver) process.exit(128 + constants.signals[name])
        isOver = true
        resolve(name)
      })
    }
  })
  return { signal, isOver: () => isOver }
}

/** Resolves when the signal is aborted. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
