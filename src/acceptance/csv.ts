/**
 * Reads comma-separated values (RFC 4180): fields in double quotes may hold separators, line ends and doubled quotes; lines end
 * with LF or CRLF. Semicolons and tabs separate too, as spreadsheets of many countries write them: whichever of the three comes
 * first in the first line. Empty lines are left out.
 *
 * @returns undefined when a quoted field does not end, or goes on after its end
 */
export function parseCsv(text: string): string[][] | undefined {
  const source = text.replace(/^\ufeff/, '');
  const separator = /[,;\t]/.exec(source.slice(0, endOfLine(source)))?.[0] ?? ',';
  // One field and what ends it, from where the last one ended.
  const field = new RegExp(
    `(?:"([^"]*(?:""[^"]*)*)"|(?!")([^${separator}\\r\\n]*))(${separator}|\\r?\\n|$)`,
    'y',
  );
  const rows: string[][] = [];
  let row: string[] = [];
  while (field.lastIndex < source.length) {
    const found = field.exec(source);
    if (!found) return undefined;
    const [, quoted, plain = '', end] = found;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === separator) {
      if (field.lastIndex === source.length) row.push('');
      continue;
    }
    rows.push(row);
    row = [];
  }
  if (row.length > 0) rows.push(row);
  return rows.filter((fields) => fields.some((one) => one.trim() !== ''));
}

function endOfLine(source: string): number {
  const end = source.indexOf('\n');
  return end === -1 ? source.length : end;
}
