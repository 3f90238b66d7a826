import { cachedPath, type Environment } from './cache.ts'
import type { Attempt, FoundTool } from './find.ts'
import { type Tool, thisPlatform } from './tools.ts'

/** The final table: tool, version, from where, path. */
export function toolTable(rows: readonly FoundTool[]): string {
  const cells = [
    ['TOOL', 'VERSION', 'FROM', 'PATH'],
    ...rows.map((row) => [row.tool, row.version, row.from, row.path]),
  ]
  const width = (column: number) => Math.max(...cells.map((row) => row[column]?.length ?? 0))
  const widths = [width(0), width(1), width(2), 0]
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** What was tried for a tool that is not there. */
export function attemptsMessage(tool: Tool, attempts: readonly Attempt[]): string {
  const lines = attempts.map(({ way, problem }) => `  - ${way}: ${problem.replaceAll('\n', '\n      ')}`)
  return [`${tool.name} ${tool.version}: not available. Tried:`, ...lines].join('\n')
}

/** The same, and what the user can do about it. */
export function missingToolMessage(tool: Tool, attempts: readonly Attempt[], env: Environment): string {
  const remedy = remedies(tool, env).map((line) => `  - ${line}`)
  return [attemptsMessage(tool, attempts), 'Any one of these helps:', ...remedy].join('\n')
}

function remedies(tool: Tool, env: Environment): string[] {
  if (env[tool.variable]) return [`correct ${tool.variable}, or unset it so that set-up gets ${tool.name}`]
  const lines = [
    `set ${tool.variable} to the path of ${tool.name} (${tool.minimum} or newer), or put it on the PATH`,
    `install Go (https://go.dev/dl/) and run again: npm run setup -- ${tool.name}`,
  ]
  const platform = thisPlatform()
  const release = platform && tool.release(platform)
  if (release === undefined) return lines
  const what = release.member === undefined ? '' : ` (${release.member} in it)`
  return [
    `connect this machine to the internet and run again: npm run setup -- ${tool.name}`,
    `bring ${release.url}${what} and put the program at ${cachedPath(tool, env)}`,
    ...lines,
  ]
}
