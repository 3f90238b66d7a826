/**
 * Waits until `condition` holds, looking again on every turn of the event loop: for tests that wait for real
 * input and output. Throws after `timeoutMs` of real time, naming what it waited for.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const endMs = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`)
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}
