/**
 * Ends a command that has said all it had to say. Not everything lets go of the process by itself: nats.js leaves the connection open
 * that a broker took and then said nothing on.
 */
export async function endProcess(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map(flush))
  process.exit()
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.write('', () => resolve())
  return promise
}
