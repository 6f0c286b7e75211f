import { stripVTControlCharacters } from 'node:util';

/** Longest text of a cell on a terminal; more of it is in `--json`. */
const WIDEST = 48;

/** Rows as a table: a column for each field that any of them has, numbers to the right. */
export function formatTable(rows: readonly Record<string, unknown>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) =>
    rows.some((row) => row[name] !== undefined),
  );
  const cells = rows.map((row) => columns.map((name) => textOf(row[name])));
  const widths = columns.map((name, index) =>
    Math.max(name.length, ...cells.map((line) => widthOf(line[index] ?? ''))),
  );
  const isNumber = columns.map((name) =>
    rows.every((row) => ['number', 'undefined'].includes(typeof row[name])),
  );
  const write = (line: readonly string[]) =>
    line
      .map((cell, index) => {
        const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - widthOf(cell)));
        return isNumber[index] ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return [write(columns), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(write)].join(
    '\n',
  );
}

/** Columns that a cell takes: colours take none. */
function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(1);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = text.replace(/\s+/g, ' ');
  return widthOf(line) > WIDEST ? `${line.slice(0, WIDEST - 1)}…` : line;
}
