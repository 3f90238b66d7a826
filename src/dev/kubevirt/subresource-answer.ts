/** What goes back over HTTP. */
export interface SubresourceAnswer {
  readonly code: number
  readonly body: object
}

type Kind = 'virtualmachine' | 'virtualmachineinstance'

/** virt-api's words for what the object is not in the state for. */
export function conflict(kind: Kind, name: string, text: string): SubresourceAnswer {
  const message = `Operation cannot be fulfilled on ${kind}.kubevirt.io "${name}": ${text}`
  return failure(409, 'Conflict', message, { kind, name })
}

export function notFound(kind: Kind, name: string): SubresourceAnswer {
  return failure(404, 'NotFound', `${kind}.kubevirt.io "${name}" not found`, { kind, name })
}

export function failure(
  code: number,
  reason: string,
  message: string,
  object?: { readonly kind: Kind; readonly name: string },
): SubresourceAnswer {
  const details = object && { details: { ...object, group: 'kubevirt.io' } }
  return {
    code,
    body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, ...details },
  }
}
