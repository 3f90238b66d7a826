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

/** KubeVirt's CRD files, of each kind its own if it can be had. Too big for a client-side apply. */
export function kubevirtCrdFiles(): string[] {
  const own = yamlFiles(KUBEVIRT)
  const names = new Set(own.map((file) => basename(file)))
  return [...own, ...yamlFiles(STAND_IN).filter((file) => !names.has(basename(file)))]
}

function yamlFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .map((name) => join(folder, name))
}

/** Where the kinds of KubeVirt that Kilonova and the stand-in use are served. */
export const KUBEVIRT_PATHS: readonly string[] = [
  '/apis/kubevirt.io/v1/virtualmachines',
  '/apis/kubevirt.io/v1/virtualmachineinstances',
  '/apis/kubevirt.io/v1/virtualmachineinstancemigrations',
  '/apis/snapshot.kubevirt.io/v1beta1/virtualmachinesnapshots',
  '/apis/snapshot.kubevirt.io/v1beta1/virtualmachinesnapshotcontents',
]

/** Puts KubeVirt's definitions into a control plane, and waits until its kinds are served. */
export async function installKubeVirtCrds(plane: Pick<ControlPlane, 'request'>): Promise<void> {
  for (const file of kubevirtCrdFiles()) {
    const name = basename(file, '.yaml')
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}?fieldManager=test`
    const headers = { 'content-type': 'application/apply-patch+yaml' }
    const answer = await plane.request(path, { method: 'PATCH', headers, body: readFileSync(file, 'utf8') })
    if (!answer.ok) throw new Error(`${file}: ${await answer.text()}`)
  }
  for (const path of KUBEVIRT_PATHS) {
    await eventually(`${path} is served`, async () => (await plane.request(path)).status === 200)
  }
}
