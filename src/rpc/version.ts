/** `major.minor`, as oslo.messaging versions an RPC API. */
export const VERSION_PATTERN = /^\d{1,6}\.\d{1,6}$/

/**
 * Whether a server that serves `served` may take a message that asks for `requested`: the same major, and a
 * minor that is not newer. So an old client can talk to a new server, and services are upgraded servers first.
 */
export function isCompatible(served: string, requested: string): boolean {
  const [servedMajor, servedMinor] = split(served)
  const [major, minor] = split(requested)
  return major === servedMajor && minor <= servedMinor
}

function split(version: string): [number, number] {
  const dot = version.indexOf('.')
  return [Number(version.slice(0, dot)), Number(version.slice(dot + 1))]
}
