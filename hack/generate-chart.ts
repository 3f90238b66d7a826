/**
 * Writes what the chart has from elsewhere: the definitions from crds/, values.schema.json with the services' options,
 * and the table of values in its README. `--check` fails when something is not current.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { withValues } from './chart/readme.ts'
import { VALUES_SCHEMA } from './chart/values-schema.ts'

const CHART = 'charts/kilonova'
const README = join(CHART, 'README.md')
const DEFINITIONS = join(CHART, 'files/crds')

const schema = { $schema: 'http://json-schema.org/draft-07/schema#', ...VALUES_SCHEMA }
const values: unknown = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8'))
const wanted = new Map<string, string>([
  [join(CHART, 'values.schema.json'), `${JSON.stringify(schema, undefined, 2)}\n`],
  [README, withValues(readFileSync(README, 'utf8'), VALUES_SCHEMA, values)],
  ...readdirSync('crds').map(
    (name) => [join(DEFINITIONS, name), readFileSync(join('crds', name), 'utf8')] as const,
  ),
])
const stale = [...wanted].filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text)
const surplus = readdirSync(DEFINITIONS)
  .map((name) => join(DEFINITIONS, name))
  .filter((path) => !wanted.has(path))

if (process.argv.includes('--check')) {
  for (const path of [...stale.map(([one]) => one), ...surplus]) {
    console.error(`Not current: ${path}. Run: npm run generate`)
    process.exitCode = 1
  }
} else {
  for (const [path, text] of stale) writeFileSync(path, text)
  for (const path of surplus) rmSync(path)
}
