import { appendFile, mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';

/** One line of an audit log. */
export interface AuditRecord {
  /** Unix time in milliseconds. */
  timestamp_ms: number;
  operator?: string;
  operation: string;
  name?: string;
  version?: string;
  pids?: string[];
  outcome: 'ok' | 'failed';
  duration_ms: number;
  /** Code of the failure. */
  code?: string;
  [key: string]: unknown;
}

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT_FILES = 5;

/**
 * Appends a record as one JSON object a line. Past `maxBytes` the file becomes `<file>.1`, the older ones move up and
 * the oldest goes. One `write` of a short line is atomic in append mode, so that two processes do not mix theirs.
 */
export async function appendAudit(file: string, record: AuditRecord, maxBytes = MAX_BYTES): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await rotate(file, maxBytes);
  await appendFile(file, `${JSON.stringify(record)}\n`);
}

/** Appends the record of an operation however it ends, and passes its outcome on. */
export async function audited<T>(
  file: string,
  about: Omit<AuditRecord, 'timestamp_ms' | 'outcome' | 'duration_ms' | 'code'>,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const write = (outcome: 'ok' | 'failed', code?: string) =>
    // A full disk must not turn a finished operation into a failed one.
    appendAudit(file, {
      timestamp_ms: Date.now(),
      ...about,
      operation: about.operation as string,
      outcome,
      duration_ms: Math.round(performance.now() - startedAt),
      code,
    }).catch(() => undefined);
  try {
    const answer = await work();
    await write('ok');
    return answer;
  } catch (error) {
    await write('failed', (error as { code?: string }).code);
    throw error;
  }
}

async function rotate(file: string, maxBytes: number): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size < maxBytes) return;
  for (let number = KEPT_FILES - 1; number >= 1; number--) {
    await rename(`${file}.${number}`, `${file}.${number + 1}`).catch(() => undefined);
  }
  await rename(file, `${file}.1`).catch(() => undefined);
}
