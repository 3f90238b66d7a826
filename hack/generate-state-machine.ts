/**
 * Writes docs/state-machine.md from the one table of operations, src/apis/v1alpha1/operations.ts. What is hand-written of it
 * is in hack/state-machine/page.ts. `--check` fails when it is not current.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { statePage } from './state-machine/page.ts'

const TARGET = 'docs/state-machine.md'

const page = statePage()
if (!existsSync(TARGET) || readFileSync(TARGET, 'utf8') !== page) {
  if (process.argv.includes('--check')) {
    console.error(`Not current: ${TARGET}. Run: npm run generate`)
    process.exitCode = 1
  } else writeFileSync(TARGET, page)
}
