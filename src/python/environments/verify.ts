import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { fileOfRow, readExceptions } from './installed-records.js';
import { checkRows, distInfos, parseRecord, type RecordFault, type RecordRow } from './record.js';
import type { Venv } from '../types.js';

/** Most faults named in the message; all are in the details. */
const NAMED = 3;

/**
 * Compares every file that a RECORD in the environment lists with its hash and size; where RECORD did not tell the truth
 * when it was installed, with what was there then.
 */
export async function verifyEnvironment(venv: Venv, options: OperationOptions): Promise<void> {
  const faults: RecordFault[] = [];
  const exceptions = await readExceptions(venv);
  const rows: RecordRow[] = [];
  for (const info of await distInfos(venv.sitePackages)) {
    const file = path.join(venv.sitePackages, info, 'RECORD');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) faults.push({ path: path.join(info, 'RECORD'), message: 'is missing' });
    else rows.push(...parseRecord(text).filter((row) => !isOf(row, info)));
  }
  const relativeOf = (row: RecordRow) => {
    const file = fileOfRow(venv, row);
    return file === undefined ? '' : path.relative(venv.dir, file).split(path.sep).join('/');
  };
  const expected = rows.filter((row) => !exceptions.has(relativeOf(row)));
  const resolve = (row: { path: string }) => fileOfRow(venv, row);
  faults.push(...(await checkRows(expected, resolve, options)));
  const others = [...exceptions].flatMap(([file, hash]) =>
    hash === null ? [] : [{ path: file, hash, size: '' }],
  );
  faults.push(...(await checkRows(others, (row) => path.join(venv.dir, row.path), options)));
  if (faults.length === 0) return;
  const named = faults.slice(0, NAMED).map(({ path: file, message }) => `${file} ${message}`);
  const more = faults.length > NAMED ? ` and ${faults.length - NAMED} more` : '';
  throw new RunnerError(
    'install_failed',
    `The environment ${venv.dir} is not as it was installed: ${named.join(', ')}${more}. Install it again`,
    { details: { path: venv.dir, issues: faults, stage: 'verify' } },
  );
}

/** No RECORD can hold its own hash. */
function isOf(row: RecordRow, info: string): boolean {
  return row.path.endsWith(`${info}/RECORD`);
}
