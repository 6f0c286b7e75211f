import type { ExportReport } from 'procvision-runner/outbox';
import { DescribedOutbox } from '../outbox/settings.js';
import { askExport } from '../outbox/station.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<undefined> {
  const { out, words, options, path } = call;
  const folder = path(words[0] ?? '.');
  const file = options.outbox as string | undefined;
  const report = file === undefined ? await askExport(call, folder) : await ofFile(call, file, folder);
  const { records, pictures, missing } = report;
  out.result(report, `${records} records and ${pictures} pictures in ${report.folder}`);
  if (missing > 0) out.warn(`${missing} pictures are gone or damaged`);
  return undefined;
}

async function ofFile(call: Call, file: string, folder: string): Promise<ExportReport> {
  const described = await DescribedOutbox.open(call, file, { toExport: true });
  try {
    return await described.delivery.export(folder, { signal: call.signal });
  } finally {
    await described.close();
  }
}
