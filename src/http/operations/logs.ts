import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { notDeployed } from '../actions.js';
import { QUERIES, readQuery } from '../query.js';
import type { Call } from '../types.js';
import { asJson } from './as-json.js';

const DEFAULT_LINES = 100;
/** How much of the end of a file is read, and how many files of a folder. */
const MOST_BYTES = 2 ** 20;
const MOST_FILES = 64;

type LogLine = Record<string, unknown>;

/**
 * GET /logs: the last lines that the workers of a version have logged, or without a name those of the audit logs (who did what,
 * when). The oldest is first.
 */
export async function logs(call: Call): Promise<Response> {
  const { registry } = call.options;
  const { name, version, lines = DEFAULT_LINES } = readQuery(call.url, QUERIES.logs);
  const all =
    name === undefined && version === undefined
      ? await linesIn(registry.layout.logs, isAudit)
      : (
          await Promise.all(
            (await foldersOf(call, name, version)).map((folder) => linesIn(folder, isWorkerLog)),
          )
        ).flat();
  const last = all.sort((a, b) => timeOf(a) - timeOf(b)).slice(-lines);
  return Response.json(asJson(last, registry.layout.root), { headers: { 'cache-control': 'no-store' } });
}

const isAudit = (file: string) => /\.log(?:\.\d+)?$/.test(file);
const isWorkerLog = (file: string) => file.endsWith('.jsonl');

/** Folders of the workers of every version that is meant. @throws RunnerError `not_found` */
async function foldersOf({ request, options }: Call, name?: string, version?: string): Promise<string[]> {
  const { registry } = options;
  const entries = await registry.list({ name }, { signal: request.signal });
  const found = entries.filter((entry) => version === undefined || entry.version === version);
  if (found.length === 0) throw notDeployed(name ?? '', version ?? '');
  return found.map((entry) => path.join(registry.layout.workerLogs, entry.name, entry.version));
}

async function linesIn(folder: string, isLog: (file: string) => boolean): Promise<LogLine[]> {
  const names = (await readdir(folder).catch(() => [])).filter(isLog).slice(0, MOST_FILES);
  const files = await Promise.all(
    names.map(async (name) => {
      const records = await lastLines(path.join(folder, name));
      return records.map((record) => (name.endsWith('.jsonl') ? { ...record, file: name } : record));
    }),
  );
  return files.flat();
}

/** The whole lines at the end of a file; what is no JSON was cut off by a crash. */
async function lastLines(file: string): Promise<LogLine[]> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0) return [];
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return []; // it was rotated away in between
  try {
    const from = Math.max(0, size - MOST_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return (from > 0 ? lines.slice(1) : lines).flatMap(recordOf);
  } finally {
    await handle.close();
  }
}

function recordOf(line: string): LogLine[] {
  try {
    return [JSON.parse(line) as LogLine];
  } catch {
    return [];
  }
}

function timeOf({ time, timestamp_ms: ms }: LogLine): number {
  return typeof time === 'string' ? Date.parse(time) || 0 : Number(ms) || 0;
}
