import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { E2E } from '../../hack/e2e/settings.ts'
import type { FollowLog } from './pod-logs.ts'

/** With `kubectl logs --follow`. */
export function followWithKubectl(program: string, kubeconfig: string): FollowLog {
  return async (pod, container, onText, signal) => {
    const args = ['logs', '--follow', `--namespace=${E2E.namespace}`, pod, `--container=${container}`]
    const child = spawn(program, [`--kubeconfig=${kubeconfig}`, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    })
    // Whole lines: several replicas write into one log.
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => onText(`${line}\n`))
    }
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', () => resolve())
    })
  }
}
