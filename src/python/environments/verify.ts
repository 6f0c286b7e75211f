import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { checkRows, distInfos, parseRecord, type RecordFault } from './record.js';
import type { Venv } from '../types.js';

/** Most faults named in the message; all are in the details. */
const NAMED = 3;

/** Compares every file that a RECORD in the environment lists with its hash and size. */
export async function verifyEnvironment(venv: Venv, options: OperationOptions): Promise<void> {
  const faults: RecordFault[] = [];
  for (const info of await distInfos(venv.sitePackages)) {
    const file = path.join(venv.sitePackages, info, 'RECORD');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) {
      faults.push({ path: path.join(info, 'RECORD'), message: 'is missing' });
      continue;
    }
    const resolve = (row: { path: string }) => {
      const target = path.resolve(venv.sitePackages, row.path);
      return target.startsWith(venv.dir + path.sep) ? target : undefined;
    };
    faults.push(...(await checkRows(parseRecord(text), resolve, options)));
  }
  if (faults.length === 0) return;
  const named = faults.slice(0, NAMED).map(({ path: file, message }) => `${file} ${message}`);
  const more = faults.length > NAMED ? ` and ${faults.length - NAMED} more` : '';
  throw new RunnerError(
    'install_failed',
    `The environment ${venv.dir} is not as it was installed: ${named.join(', ')}${more}. Install it again`,
    { details: { path: venv.dir, issues: faults, stage: 'verify' } },
  );
}
