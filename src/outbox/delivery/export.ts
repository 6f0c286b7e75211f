import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { ArtifactRecord } from '../records.js';
import type { DeliveryQueue, DueItem } from '../types.js';
import { PictureFile } from './lanes/picture-file.js';
import { outgoingRecord } from './lanes/record-lane.js';
import { FolderTarget } from './targets/folder.js';
import type { Attempt, OutgoingRecord, Outcome } from './targets/port.js';

/** What was copied. */
export interface ExportReport {
  folder: string;
  records: number;
  pictures: number;
  /** Pictures whose files are gone or damaged: the outbox has them no more. */
  missing: number;
}

/** Records of one file. */
const MOST_RECORDS = 1_000;

/** Copies what waits and what was refused to a folder. @throws RunnerError `store_failed`, `aborted` */
export async function exportTo(
  folder: string,
  queue: DeliveryQueue,
  { signal = new AbortController().signal }: OperationOptions,
): Promise<ExportReport> {
  const target = new FolderTarget(folder);
  const attempt: Attempt = { signal, pace: () => Promise.resolve() };
  const report: ExportReport = { folder: target.title, records: 0, pictures: 0, missing: 0 };
  let batch: OutgoingRecord[] = [];
  const write = async () => {
    if (batch.length === 0) return;
    check(await target.sendRecords(batch, attempt), signal);
    report.records += batch.length;
    batch = [];
  };
  for await (const item of everything(queue)) {
    throwIfAborted(signal, 'export');
    if (item.kind !== 'picture') {
      batch.push(outgoingRecord(item));
      if (batch.length === MOST_RECORDS) await write();
      continue;
    }
    const picture = item.picture && new PictureFile(item.body as ArtifactRecord, item.picture);
    if (!picture || (await picture.look()) !== undefined) {
      report.missing++;
      continue;
    }
    const outcome = await target.sendPicture(picture, attempt);
    if (picture.damage !== undefined) report.missing++;
    else {
      check(outcome, signal);
      report.pictures++;
    }
  }
  await write();
  return report;
}

async function* everything(queue: DeliveryQueue): AsyncGenerator<DueItem> {
  yield* queue.waiting();
  yield* await queue.aside();
}

function check(outcome: Outcome, signal: AbortSignal): void {
  throwIfAborted(signal, 'export');
  if (outcome.state === 'taken') return;
  throw new RunnerError('store_failed', `The export stopped: ${outcome.reason}`);
}
