import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeAtExit } from './keeper.ts'

/** A fresh folder below the system's temporary one, removed when this process ends unless it is to be kept. */
export function makeFolder(name: string, keep = false): string {
  const path = mkdtempSync(join(tmpdir(), `kilonova-${name}-`))
  if (!keep) removeAtExit(path)
  return path
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 })
}
