/** How the page writes what stands in the tables. */

const NOTHING = '–'

export function code(word: string): string {
  return `\`${word}\``
}

/** States, one after the other; `null` is no task_state. */
export function codes(words: readonly (string | null)[]): string {
  return words.length === 0 ? NOTHING : words.map(word).join(', ')
}

/** States that follow on each other. */
export function way(words: readonly (string | null)[]): string {
  return words.length === 0 ? NOTHING : words.map(word).join(' → ')
}

export function cell(text: string): string {
  return text === '' ? NOTHING : text
}

/** Rows of a table, with its head. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function word(one: string | null): string {
  if (one === null) return 'none'
  return one === 'unchanged' ? one : code(one)
}
