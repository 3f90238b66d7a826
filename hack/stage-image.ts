/**
 * Puts together what the image holds below /app: the packed npm package and its production dependencies, as locked.
 * The Dockerfile and test/real/packed.test.ts both run this, so the test runs what the image runs.
 *
 *     node hack/stage-image.ts FOLDER
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

const CHECKOUT = resolve(import.meta.dirname, '..')
const BUILT = 'dist'

const manifest = z.object({ files: z.array(z.string()) })

/** Fills `folder`, which must be empty or not there. */
export function stageImage(folder: string): void {
  const target = resolve(folder)
  mkdirSync(target, { recursive: true })
  if (readdirSync(target).length > 0) throw new Error(`${target} is not empty`)
  const work = mkdtempSync(join(tmpdir(), 'kilonova-stage-'))
  try {
    const tarball = pack(work)
    run('tar', ['-xzf', tarball, '--strip-components=1', '--no-same-owner'], target)
    cpSync(join(CHECKOUT, 'package-lock.json'), join(target, 'package-lock.json'))
    run('npm', ['ci', ...PRODUCTION, '--prefer-offline', '--no-audit', '--no-fund', '--silent'], target)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** What is optional is for people's own kubeconfigs: a pod has a token. Nothing here is compiled on installation. */
const PRODUCTION = ['--omit=dev', '--omit=optional', '--ignore-scripts']

/** Not packed in the checkout itself, whose `dist` may hold the remains of earlier builds. */
function pack(work: string): string {
  const source = join(work, 'source')
  mkdirSync(source)
  const { files } = manifest.parse(JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')))
  for (const name of ['package.json', 'README.md', 'LICENSE', ...files.filter((one) => one !== BUILT)]) {
    if (existsSync(join(CHECKOUT, name))) {
      cpSync(join(CHECKOUT, name), join(source, name), { recursive: true })
    }
  }
  const compiler = join(CHECKOUT, 'node_modules/.bin/tsc')
  // Types are checked once, by `npm run types`: here they are only taken off.
  run(compiler, ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(source, BUILT)], CHECKOUT)
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', work], source)
  const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'))
  if (tarball === undefined) throw new Error('npm packed nothing')
  return join(work, tarball)
}

/** What it has to say goes to standard error, but for npm's word of what it packed. */
function run(program: string, args: readonly string[], cwd: string): void {
  execFileSync(program, args, { cwd, stdio: ['ignore', program === 'npm' ? 'ignore' : 2, 'inherit'] })
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) {
    console.error('Usage: node hack/stage-image.ts FOLDER')
    process.exitCode = 2
  } else {
    stageImage(folder)
  }
}
