import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { eventually } from '../../scenarios/eventually.ts'
import type { ControlPlane } from './control-plane.ts'

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

/** Puts KubeVirt's definitions into a control plane, and waits until its two kinds are served. */
export async function installKubeVirtCrds(plane: Pick<ControlPlane, 'request'>): Promise<void> {
  for (const file of kubevirtCrdFiles()) {
    const name = basename(file, '.yaml')
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}?fieldManager=test`
    const headers = { 'content-type': 'application/apply-patch+yaml' }
    const answer = await plane.request(path, { method: 'PATCH', headers, body: readFileSync(file, 'utf8') })
    if (!answer.ok) throw new Error(`${file}: ${await answer.text()}`)
  }
  for (const plural of ['virtualmachines', 'virtualmachineinstances']) {
    const path = `/apis/kubevirt.io/v1/${plural}`
    await eventually(`${plural} are served`, async () => (await plane.request(path)).status === 200)
  }
}
