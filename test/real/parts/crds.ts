import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const CHECKOUT = join(import.meta.dirname, '../../..')

/** KubeVirt's own definitions, an extra that need not be there. */
const KUBEVIRT = join(CHECKOUT, '../shared/kubevirt-crds')
const STAND_IN = join(CHECKOUT, 'src/dev/kubevirt/crds')

/** Kilonova's own CRD files. */
export function kilonovaCrdFiles(): string[] {
  return yamlFiles(join(CHECKOUT, 'crds'))
}

/** KubeVirt's CRD files if they can be had, otherwise those of the small stand-in. Too big for a client-side apply. */
export function kubevirtCrdFiles(): string[] {
  const own = yamlFiles(KUBEVIRT)
  return own.length > 0 ? own : yamlFiles(STAND_IN)
}

function yamlFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .map((name) => join(folder, name))
}
