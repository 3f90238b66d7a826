import { NovaError } from './nova-error.ts'

/** Kubernetes refused or could not be reached. `reason` is its own sentence. */
export class KubernetesUnavailable extends NovaError<{ reason: string }> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: KubernetesUnavailable['details'], options?: ErrorOptions) {
    super(`The Kubernetes API could not be used: ${details.reason}`, details, options)
  }
}

/** The operation needs the host's agent, which does not report. Nova: ServiceUnavailable. */
export class ServiceUnavailable extends NovaError<{ instance: string; host: string; method: string }> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: ServiceUnavailable['details'], options?: ErrorOptions) {
    super(
      `Cannot '${details.method}' instance ${details.instance}: its host ${details.host} is down. Evacuate the instance, or bring the host back first.`,
      details,
      options,
    )
  }
}

/** The service is told to stop, and leaves what it has not finished to its successor. */
export class ServiceStopping extends NovaError<{ service: string }> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: ServiceStopping['details'], options?: ErrorOptions) {
    super(`${details.service} was stopped before it had finished`, details, options)
  }
}
