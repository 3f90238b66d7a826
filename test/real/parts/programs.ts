import { findTools } from '../../../hack/setup/find.ts'
import type { ToolName } from '../../../hack/setup/tools.ts'

/** Path of a program that set-up provides. */
export function program(name: ToolName): string {
  const path = findTools()[name]
  if (path === undefined) throw new Error(`${name} is missing; get it with: npm run setup -- ${name}`)
  return path
}
