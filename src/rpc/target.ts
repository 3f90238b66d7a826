/**
 * Where a message goes. With a host: to that host's server alone; without: to any one server of the topic.
 * As oslo.messaging's Target, reduced to what Nova uses.
 */
export interface Target {
  /** Lower-case letters, digits and underscores: `scheduler`, `conductor`, `compute`. */
  readonly topic: string
  /** A DNS name: the name of the Kubernetes node. */
  readonly host?: string
}

const TOPIC = /^[a-z][a-z0-9_]*$/
const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/

/**
 * Checks that the target can be written as a broker subject.
 *
 * @throws TypeError A name that could reach into another subject is a bug in the caller, not a condition.
 */
export function assertTarget(target: Target): void {
  if (!TOPIC.test(target.topic)) throw new TypeError(`Not a topic: ${JSON.stringify(target.topic)}`)
  if (target.host !== undefined) assertHost(target.host)
}

export function isHost(name: string): boolean {
  return HOST.test(name)
}

function assertHost(host: string): void {
  if (!isHost(host)) throw new TypeError(`Not a host name: ${JSON.stringify(host)}`)
}

/**
 * A host as one token of a subject. Dots separate tokens; DNS names know no underscore, so this loses nothing.
 *
 * @throws TypeError for what is no DNS name.
 */
export function hostToken(host: string): string {
  assertHost(host)
  return host.replaceAll('.', '_')
}

/** The target as the end of a broker subject: `scheduler`, `compute.node-1_example_com`. */
export function subjectOf(target: Target): string {
  assertTarget(target)
  return target.host === undefined ? target.topic : `${target.topic}.${hostToken(target.host)}`
}

/** The fixed name of the target's durable consumer: `scheduler`, `compute-node-1_example_com`. */
export function consumerOf(target: Target): string {
  assertTarget(target)
  return target.host === undefined ? target.topic : `${target.topic}-${hostToken(target.host)}`
}

/** The target as a person reads it in a message: `compute.node-1.example.com`. */
export function describeTarget(target: Target): string {
  return target.host === undefined ? target.topic : `${target.topic}.${target.host}`
}
