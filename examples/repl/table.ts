/** Longest text of a cell; more of it is in the object itself. */
const WIDEST = 48;

/** Rows as a table: a column for each field that any of them has, numbers to the right. */
export function formatTable(rows: readonly Record<string, unknown>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) =>
    rows.some((row) => row[name] !== undefined),
  );
  const cells = rows.map((row) => columns.map((name) => textOf(row[name])));
  const widths = columns.map((name, index) =>
    Math.max(name.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const isNumber = columns.map((name) =>
    rows.every((row) => ['number', 'undefined'].includes(typeof row[name])),
  );
  const write = (line: readonly string[]) =>
    line
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return isNumber[index] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [write(columns), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(write)].join(
    '\n',
  );
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(1);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = text.replace(/\s+/g, ' ');
  return line.length > WIDEST ? `${line.slice(0, WIDEST - 1)}…` : line;
}
