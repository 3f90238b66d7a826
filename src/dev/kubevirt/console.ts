import type { VirtualMachineInstance } from '../../virt/kubevirt/resources.ts'
import { REBOOTS_ANNOTATION } from './behaviour.ts'

/** What a guest has written to its serial console in this run: a few lines each time that it booted. */
export function consoleOf({ metadata, spec }: VirtualMachineInstance): string {
  const boots = 1 + Number(metadata.annotations?.[REBOOTS_ANNOTATION] ?? 0)
  const name = spec.hostname ?? metadata.name
  const lines = ['SeaBIOS (simulated)', 'Booting from Hard Disk...', `Welcome to ${name}`, `${name} login:`]
  const once = lines.map((line) => `${line}\n`).join('')
  return once.repeat(boots)
}
