import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Call } from '../spec.js';
import { checkStore, findVersion, findVersions, withRegistry } from '../store.js';
import { pause } from '../terminal/wait.js';

const EVERY_MS = 500;
/** How much of the end of a file is read for its last lines. */
const MOST_BYTES = 4 * 2 ** 20;

interface Line {
  time: string;
  text: string;
  record: Record<string, unknown>;
}

export async function run(call: Call): Promise<undefined> {
  const { words, options, out, signal } = call;
  const [name, version] = words;
  await checkStore(call);
  const { StoreLayout } = await import('procvision-runner');
  const layout = new StoreLayout(call.root);
  if (name !== undefined) {
    await withRegistry(call, async (registry) => {
      if (version === undefined) await findVersions(registry, name);
      else await findVersion(registry, name, version);
    });
  }
  const folder =
    name === undefined
      ? layout.logs
      : path.join(layout.workerLogs, name, ...(version === undefined ? [] : [version]));
  const offsets = new Map<string, number>();
  const all = await readNew(folder, name !== undefined, offsets);
  const count = options.lines as number;
  const last = count === 0 ? [] : all.slice(-count);
  if (options.follow !== true) {
    out.result(
      last.map(({ record }) => record),
      last.length > 0 ? last.map(({ text }) => text).join('\n') : 'Nothing was logged yet',
    );
    return undefined;
  }
  for (const { record, text } of last) out.line(record, text);
  while (!signal.aborted) {
    await pause(EVERY_MS, signal);
    for (const { record, text } of await readNew(folder, name !== undefined, offsets)) out.line(record, text);
  }
  return undefined;
}

/** What was written to the files of a folder since the last time, by time. */
async function readNew(folder: string, isWorkers: boolean, offsets: Map<string, number>): Promise<Line[]> {
  const names = await readdir(folder, { recursive: isWorkers }).catch(() => []);
  const files = names.filter((name) => /\.(?:log|jsonl)(?:\.\d+)?$/.test(name));
  const found: Line[] = [];
  for (const name of files) {
    const file = path.join(folder, name);
    const text = await readFrom(file, offsets);
    for (const line of text.split('\n')) {
      const record = recordOf(line);
      if (record)
        found.push({ time: timeOf(record), record, text: textOf(record, isWorkers ? name : undefined) });
    }
  }
  return found.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));
}

/**
 * Whole lines past the offset, which moves behind them. A file that became shorter was begun again. Offsets are kept by what a file
 * is, not by its name: a log that is rotated goes on under another name, and was read already.
 */
async function readFrom(file: string, offsets: Map<string, number>): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return ''; // it was rotated in between
  try {
    const { size: bytes, dev, ino } = await handle.stat({ bigint: true });
    const [size, key] = [Number(bytes), `${dev} ${ino}`];
    const known = offsets.get(key) ?? Math.max(0, size - MOST_BYTES);
    const from = known > size ? 0 : known;
    if (size === from) return '';
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = buffer.subarray(0, bytesRead);
    const end = text.lastIndexOf('\n') + 1;
    offsets.set(key, from + end);
    return text.toString('utf8', 0, end);
  } finally {
    await handle.close();
  }
}

function recordOf(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined; // the rest of a line that was cut off by a crash
  }
}

function timeOf({ time, timestamp_ms: ms }: Record<string, unknown>): string {
  return typeof time === 'string' ? time : new Date(Number(ms) || 0).toISOString();
}

function textOf(record: Record<string, unknown>, file: string | undefined): string {
  const time = timeOf(record);
  if (file !== undefined) {
    const worker = file.replace(/\.jsonl$/, '');
    return `${time}  ${worker}  ${String(record.level)}  ${String(record.message)}`;
  }
  const { operation, name, version, pids, operator, outcome, code } = record as Record<
    string,
    string | undefined
  >;
  const ids = Array.isArray(pids) && pids.length > 0 ? pids.join(',') : undefined;
  const by = operator === undefined ? undefined : `by ${operator}`;
  const words = [operation, name, version, ids, outcome, code, by];
  return `${time}  ${words.filter((word) => word !== undefined).join(' ')}`;
}
