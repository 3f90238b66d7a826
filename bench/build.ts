import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

const CHECKOUT = join(import.meta.dirname, '..')

/** The built command line. */
export const MAIN = join(CHECKOUT, 'dist/main.js')
/** The runner of many agents, as plain JavaScript like what it runs: no type stripper in the process we measure. */
export const AGENTS = join(CHECKOUT, 'dist/bench-agents.js')

/** Builds what is measured. */
export function build(options: { readonly isFresh: boolean }): void {
  if (options.isFresh) {
    const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: CHECKOUT, stdio: 'inherit' })
    if (status !== 0) throw new Error('npm run build failed')
  }
  if (!existsSync(MAIN)) throw new Error('there is no dist/main.js: leave --no-build out')
  writeFileSync(AGENTS, stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'agents.ts'), 'utf8')))
}

/** What Node.js is told by the first line of the command line's file, as it is when it is started by its name. */
export function nodeFlags(): string[] {
  const [firstLine = ''] = readFileSync(MAIN, 'utf8').split('\n', 1)
  return firstLine.split(' ').filter((word) => word.startsWith('--'))
}
