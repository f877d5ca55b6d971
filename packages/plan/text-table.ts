/** Lines up columns by blanks, indented by two. `right` are the columns to be set flush right. A column that is empty in every row is left out. */
export function textTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const shown = headings.map((_, column) => rows.some((row) => (row[column] ?? '') !== ''))
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    `  ${widths
      .map((width, column) =>
        right.includes(column) ? (cells[column] ?? '').padStart(width) : (cells[column] ?? '').padEnd(width),
      )
      .filter((_, column) => shown[column])
      .join('  ')}`.trimEnd()
  return [line(headings), ...rows.map(line)].join('\n')
}
