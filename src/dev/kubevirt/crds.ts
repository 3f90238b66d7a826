import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const FOLDER = join(import.meta.dirname, 'crds')

/** The stand-in's small definitions of KubeVirt's two kinds, for an API server that has not got KubeVirt's own. */
export function kubevirtCrds(): object[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .map((name) => parse(readFileSync(join(FOLDER, name), 'utf8')))
}
