import { readFile } from 'node:fs/promises';
import { RunnerError } from 'procvision-runner';
import type { SignedHead } from 'procvision-runner/outbox';
import { writeJsonAtomic } from '../../store/atomic-file.js';
import { EXIT } from '../host.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<number> {
  const { words, options, out, signal, path } = call;
  const [folder = '.'] = words;
  const { key, head: given, saveHead } = options as { key?: string; head?: string[]; saveHead?: string };
  const { headIn, verifyReceipts } = await import('procvision-runner/outbox');
  const heads: SignedHead[] = [];
  for (const file of given ?? []) {
    const head = headIn(parsed(await readFile(path(file), 'utf8')));
    if (!head) throw noHead(file);
    heads.push(head);
  }
  const publicKey = key === undefined ? undefined : await readFile(path(key), 'utf8');
  const report = await verifyReceipts(path(folder), {
    heads,
    signal,
    ...(publicKey !== undefined && { publicKey }),
  });
  if (report.keyFrom === 'folder') {
    out.warn('the key is that of the folder: who altered the records could have exchanged it (--key)');
  }
  if (saveHead !== undefined && report.head) await writeJsonAtomic(path(saveHead), report.head);
  const { isIntact, logged, present, removed, pictures, faults, faultCount } = report;
  const counts = `${logged} logged, ${present} there, ${removed} removed by rule, ${pictures} pictures`;
  // Lines and no table, whose cells are cut: a fault names a file.
  const lines = faults.map(({ index, reason }) => (index === undefined ? reason : `${index}: ${reason}`));
  out.result(report, isIntact ? `intact: ${counts}` : lines.join('\n'));
  if (faultCount > faults.length) out.say(`the first ${faults.length} are shown`);
  if (!isIntact) out.say(`${faultCount} ${faultCount === 1 ? 'fault' : 'faults'}: ${counts}`);
  return isIntact ? EXIT.done : EXIT.failed;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function noHead(file: string): RunnerError {
  return new RunnerError('invalid_params', `${file} is no signed head: save one with --save-head`, {
    details: { path: file },
  });
}
