/** Waits for the process to be told to stop. A second signal ends it at once. */
export function untilSignalled(): {
  readonly signal: Promise<NodeJS.Signals>
  readonly isOver: () => boolean
} {
  let isOver = false
  const signal = new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => {
        if (isOver) process.exit(130)
        isOver = true
        resolve(name)
      })
    }
  })
  return { signal, isOver: () => isOver }
}
