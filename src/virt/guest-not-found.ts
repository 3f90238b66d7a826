import { NovaError } from '../common/errors/nova-error.ts'

/**
 * The guest is not on its host any more: somebody removed it behind our back. Nova's libvirt driver defines it
 * anew for a start, from the disks that are left; here they may have gone with the VM, and an empty machine would
 * be taken for a start.
 */
export class GuestNotFound extends NovaError<{ instance: string; host: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: GuestNotFound['details'], options?: ErrorOptions) {
    super(
      `The VirtualMachine of instance ${details.instance} is gone from ${details.host}, and the instance is of no use without it; delete the instance and create it anew`,
      details,
      options,
    )
  }
}
