import { readdir, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { SentImage } from '../../frames/types.js';
import type { CallImage } from '../../worker/types.js';
import type { Ledger } from './ledger.js';
import type { Outcome, Probe, ProbeCall } from './probe.js';
import { noise, pictureOf, type Subject } from './subject.js';

/** Calls between two counts of the open files: more than an interpreter opens by itself at a first call. */
const LEAK_CALLS = 10;
/** A product id that no package supports. */
const UNKNOWN_PRODUCT = 'CONFORMANCE-UNKNOWN';

/** Runs what an algorithm and its worker owe, on one worker. */
export async function runAlgorithmRows(subject: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  if (!(await ordinaryCall(subject, ledger, probe))) return;
  await ledger.run(22, async () => checkHello(subject, ledger, probe));
  await ledger.run(1, async () => checkLost(ledger, probe, 1, 'a picture whose file is gone', gone));
  await ledger.run(4, async () => checkLost(ledger, probe, 4, 'a picture that was cut off', cutOff));
  await ledger.run(2, async () => checkMeta(subject, ledger, probe));
  await ledger.run(3, async () => checkSizes(subject, ledger, probe));
  await ledger.run(5, async () => {
    const black = pictureOf(subject.size, () => 0);
    await expectAnswer(subject, ledger, probe, 5, 'a black picture', { image: black });
  });
  await ledger.run(6, async () => checkLeftOut(subject, ledger, probe));
  await ledger.run(10, async () => checkProduct(subject, ledger, probe));
  await ledger.run(11, async () => checkProducts(subject, ledger, probe));
  await ledger.run(14, async () => checkGpuMemory(subject, ledger, probe));
  await checkVerdicts(subject, ledger, probe);
  await ledger.run(15, async () => checkLeaks(ledger, probe));
  if (ledger.wants(20) && !ledger.hasFailed(20)) ledger.see(20, 'the worker sends frames alone');
}

/** The call that all others build on; whether it was answered. */
async function ordinaryCall({ isPhased }: Subject, ledger: Ledger, probe: Probe): Promise<boolean> {
  const phases = isPhased ? (['pre', 'execute'] as const) : (['execute'] as const);
  for (const phase of phases) {
    const outcome = await probe.call({ phase });
    const row = phase === 'pre' ? 16 : 17;
    if (outcome.kind === 'answered') {
      ledger.see(0, `${phase} answered ${verdictOf(outcome)}`);
      ledger.see(row, `${phase} answered in ${outcome.reply.callMs.toFixed(1)} ms`);
      continue;
    }
    if (outcome.kind === 'raised') {
      ledger.fail(0, `${phase} raised ${outcome.what}`);
      return false;
    }
    ledger.fail(outcome.error.code === 'timeout' ? row : 19, outcome.error.message);
    ledger.fail(0, `${phase} was not answered: ${outcome.error.message}`);
    return false;
  }
  return true;
}

async function checkHello({ entry }: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  const { generation, sdkVersion, capabilities } = (await probe.ready()).ready ?? {};
  if (generation !== entry.generation) {
    ledger.fail(
      22,
      `hello tells of the ${String(generation)} generation (${capabilities?.join(', ')}), and the version is registered as ` +
        `${entry.generation}. Install the package again: its SDK was replaced after its check`,
    );
  } else {
    ledger.see(22, `hello of the ${generation} generation, SDK ${sdkVersion}`);
  }
}

/** The worker has to say that it has no picture: the SDK's own reader would hand over a black one. */
async function checkLost(
  ledger: Ledger,
  probe: Probe,
  row: number,
  what: string,
  alter: (sent: SentImage) => CallImage,
): Promise<void> {
  const outcome = await probe.call({ alter });
  if (outcome.kind === 'ended') ledger.fail(row, `${what} ended the worker: ${outcome.error.message}`);
  else if (outcome.reply.status === 'ERROR') ledger.see(row, `worker: ${what} is answered with ERROR`);
  else
    ledger.fail(row, `${what} got the verdict ${verdictOf(outcome)}: it is about a picture that nobody took`);
  // Two in a row are taken for a worker that sees another folder, which is ended.
  await probe.call();
}

const gone = ({ meta, kind, proof }: SentImage): CallImage => ({
  ...{ id: 'conformance-gone', meta, kind },
  ...(proof && { proof: { ...proof, id: 'conformance-gone' } }),
});

/** A file of which the second half was never written. */
const cutOff = ({ meta, kind, proof, sizeBytes, save }: SentImage): CallImage => ({
  ...{ id: 'conformance-cut', meta, kind },
  ...(proof && { proof: { ...proof, id: 'conformance-cut' } }),
  deliver: async (folder) => {
    const file = path.join(folder, `conformance-cut.${kind}`);
    await save(file);
    await truncate(file, Math.floor(sizeBytes / 2));
  },
});

async function checkMeta(subject: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  for (const field of ['camera_id', 'timestamp_ms'] as const) {
    const alter = (sent: SentImage) => {
      const meta: Partial<SentImage['meta']> = { ...sent.meta };
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a field that is absent, not undefined
      delete meta[field];
      return { ...sent, meta: meta as SentImage['meta'] };
    };
    const what = `a picture without ${field}`;
    // Both may be left out: a verdict is right.
    await expectAnswer({ ...subject, isStrict: false }, ledger, probe, 2, what, { alter });
  }
}

async function checkSizes(subject: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  for (const [width, height] of [
    [1, 1],
    [4096, 2],
    [2, 4096],
  ] as const) {
    const image = pictureOf({ width, height }, noise);
    await expectAnswer(subject, ledger, probe, 3, `a picture of ${width} x ${height}`, { image });
  }
}

async function checkLeftOut(subject: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  const optional = subject.params.filter(({ required, default: standard }) => {
    return required !== true && (standard === undefined || standard === null);
  });
  if (optional.length === 0) {
    ledger.skip(6, 'the step has no optional parameter without a default');
    return;
  }
  const keys = new Set(optional.map(({ key }) => key));
  const userParams = Object.fromEntries(Object.entries(subject.userParams).filter(([key]) => !keys.has(key)));
  const what = `a call without ${[...keys].join(', ')}`;
  await expectAnswer({ ...subject, isStrict: false }, ledger, probe, 6, what, { userParams });
}

async function checkProduct(subject: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  if (!subject.isPhased || subject.productId === undefined) {
    ledger.skip(10, 'the version supports any product id');
    return;
  }
  const what = 'a product id that is not supported';
  await expectAnswer(subject, ledger, probe, 10, what, { productId: UNKNOWN_PRODUCT });
}

/** What an algorithm loads for each product id must be in the package. */
async function checkProducts(subject: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  const { entry, isPhased } = subject;
  if (!isPhased || entry.supported_pids.length < 2) {
    ledger.skip(11, 'the version has no second product id');
    return;
  }
  const ordinary = await probe.call();
  for (const productId of entry.supported_pids.slice(1)) {
    const outcome = await probe.call({ productId });
    const what = `product id ${productId}`;
    if (outcome.kind === 'ended') ledger.fail(11, `${what} ended the worker: ${outcome.error.message}`);
    else if (outcome.kind === 'raised') ledger.fail(11, `${what} raised ${outcome.what}`);
    else if (outcome.reply.status === 'ERROR' && verdictOf(ordinary) !== 'ERROR') {
      ledger.fail(
        11,
        `${what} is supported, and answered with ERROR: ${outcome.reply.message}. Put its assets into the package, ` +
          'name them in required_assets, or take the product id out of supported_pids',
      );
    } else ledger.see(11, `${what} is answered`);
  }
}

async function checkGpuMemory(subject: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  const call = subject.options.outOfGpuMemory;
  if (!call) {
    ledger.skip(14, 'no call is known that exhausts the memory of a GPU: give it as outOfGpuMemory');
    return;
  }
  const outcome = await probe.call(call);
  if (outcome.kind === 'ended') {
    ledger.fail(14, `the worker ended instead of telling 1004: ${outcome.error.message}`);
    return;
  }
  const { errorCode, exception, raised, status, message } = outcome.reply;
  const isReported = errorCode === '1004' || [exception, raised?.type].includes('GPUOutOfMemoryError');
  if (status === 'ERROR' && isReported)
    ledger.see(14, 'is reported as GPUOutOfMemoryError or 1004, so that the host can retry');
  else {
    ledger.fail(
      14,
      `is answered with ${verdictOf(outcome)} (${message}): raise GPUOutOfMemoryError of the SDK, or a class derived from it, ` +
        'so that the host knows that another attempt makes sense',
    );
  }
}

/** Pictures of several kinds; each verdict was held against the contract as it came. */
async function checkVerdicts({ size }: Subject, ledger: Ledger, probe: Probe): Promise<void> {
  const rows = [23, 24, 25, 26];
  if (!ledger.wants(...rows)) return;
  for (const byteAt of [noise, () => 255]) await probe.call({ image: pictureOf(size, byteAt) });
  for (const row of rows) {
    if (ledger.hasFailed(row)) continue;
    if (probe.verdicts > 0) ledger.see(row, `${probe.verdicts} verdicts keep to it`);
    else ledger.skip(row, 'no verdict was given: give a picture of the product as image');
  }
}

async function checkLeaks(ledger: Ledger, probe: Probe): Promise<void> {
  const { processId } = await probe.ready();
  const before = await openFiles(processId);
  if (before === undefined) {
    ledger.skip(15, 'the system does not tell the open files of a process');
  } else {
    for (let call = 0; call < LEAK_CALLS; call++) await probe.call();
    const after = await openFiles((await probe.ready()).processId);
    const grown = (after ?? 0) - before;
    if (grown >= LEAK_CALLS) {
      ledger.fail(
        15,
        `${LEAK_CALLS} calls left ${grown} files open: close what a call opens (with open(…) as file)`,
      );
    } else ledger.see(15, `${LEAK_CALLS} calls left no file open`);
  }
  const exit = await probe.stop();
  if (exit?.exitSignal != null) {
    ledger.fail(15, `teardown() did not return: the worker had to be ended by ${exit.exitSignal}`);
  } else if (exit) ledger.see(15, 'the worker ends by itself');
}

async function openFiles(processId: number | undefined): Promise<number | undefined> {
  if (process.platform !== 'linux' || processId === undefined) return undefined;
  return readdir(`/proc/${processId}/fd`).then(
    (files) => files.length,
    () => undefined,
  );
}

/** A call that must be answered: with ERROR, or, unless the suite is strict, with a verdict. */
async function expectAnswer(
  { isStrict }: Subject,
  ledger: Ledger,
  probe: Probe,
  row: number,
  what: string,
  call: ProbeCall,
): Promise<void> {
  const outcome = await probe.call(call);
  if (outcome.kind === 'ended') {
    ledger.fail(row, `${what} ended the worker: ${outcome.error.message}`);
  } else if (outcome.kind === 'raised') {
    ledger.fail(row, `${what} raised ${outcome.what}. Answer with status ERROR and a message instead`);
  } else if (isStrict && outcome.reply.status !== 'ERROR') {
    ledger.fail(row, `${what} got the verdict ${verdictOf(outcome)}: the specification asks for ERROR`);
  } else {
    ledger.see(row, `algorithm: ${what} is answered with ${verdictOf(outcome)}`);
  }
}

function verdictOf(outcome: Outcome): string {
  if (outcome.kind === 'ended') return 'nothing';
  const { status, data } = outcome.reply;
  return status === 'ERROR' ? 'ERROR' : (data.result_status ?? 'OK');
}
