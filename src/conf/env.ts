/** The environment the process was started with. Read nowhere else. */
export function env(): Readonly<Record<string, string | undefined>> {
  return process.env
}
