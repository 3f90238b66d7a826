import { findTools } from '../../hack/setup/find.ts'
import type { ToolName } from '../../hack/setup/tools.ts'

const NEEDED = [
  'kube-apiserver',
  'etcd',
  'nats-server',
  'kubectl',
  'helm',
] as const satisfies readonly ToolName[]

/** The sentence that says what the real-parts tests lack on this machine; undefined when they can run. */
export function setupNeeded(...more: readonly ToolName[]): string | undefined {
  const tools = findTools()
  const missing = [...NEEDED, ...more].filter((name) => tools[name] === undefined)
  if (missing.length === 0) return undefined
  return `real-parts tests not run: ${missing.join(', ')} missing; get them with: npm run setup`
}
