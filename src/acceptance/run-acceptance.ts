import { access, constants, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../abort.js';
import { RunnerError, type RunnerErrorCode } from '../errors.js';
import { readEncoded } from '../frames/encoded-input.js';
import { checkHandedOn } from '../frames/handed-on.js';
import { pixelsOf } from '../frames/pixels-of.js';
import type { VersionRef } from '../package/types.js';
import { inspectPicture } from '../runner/inspect-picture.js';
import type { RunnerParts } from '../runner/types.js';
import { SequentialTest, type SequentialTestOptions } from '../supervisor/switching/sequential-test.js';
import type { InspectionResult } from '../supervisor/types.js';
import { findPictures, shuffled, type LabelledPicture } from './labelled-pictures.js';
import { summaryOf } from './summary.js';
import type {
  AcceptanceOptions,
  AcceptanceReport,
  AcceptanceVerdict,
  InspectedPicture,
  PictureAnswer,
} from './types.js';

/** Failures that are the version's: it gave no verdict on a picture that it could have read. */
const FAULTS_OF_VERSION: ReadonlySet<RunnerErrorCode> = new Set([
  'timeout',
  'heartbeat_lost',
  'worker_exited',
  'protocol_error',
  'contract_violation',
  'circuit_open',
] as const);
/** Failures that are the picture's. */
const FAULTS_OF_PICTURE: ReadonlySet<RunnerErrorCode> = new Set([
  'invalid_image',
  'unsupported_image',
  'unsupported_color_space',
] as const);

/** See `acceptance`. */
export async function runAcceptance(
  runner: RunnerParts,
  folder: string,
  o: AcceptanceOptions,
  options: SequentialTestOptions,
): Promise<AcceptanceReport> {
  const { target, against, seed = 1, signal } = o;
  const entry = await deployed(runner, target, signal);
  if (against) await deployed(runner, against, signal);
  const productId = o.productId ?? entry.supported_pids[0] ?? entry.name;
  const found = await findPictures(folder);
  if (o.report !== undefined) await checkWritable(o.report);
  const guideImage = await guideOf(o);
  const test = new SequentialTest(options);
  const pictures: InspectedPicture[] = [];
  const unreadable: AcceptanceReport['unreadable'] = [];
  const ask = (version: VersionRef, picture: LabelledPicture) =>
    answerOf(runner, { productId, version, picture }, { ...o, guideImage });
  const order = shuffled(found.pictures, seed);
  for (const [index, picture] of order.entries()) {
    const { name: file, expected } = picture;
    const answer = await ask(target, picture);
    if (answer.error && FAULTS_OF_PICTURE.has(answer.error.code)) {
      unreadable.push({ file, message: answer.error.message });
    } else {
      const other = against && (await ask(against, picture));
      const isRight = answer.verdict === expected;
      test.add(!isRight);
      pictures.push({
        ...{ file, expected, ...answer, isRight },
        ...(other && { against: { ...other, isRight: other.verdict === expected } }),
      });
    }
    const { decision } = test;
    o.onProgress?.({ done: index + 1, total: order.length, file, decision });
    if (o.stopWhenDecided && decision !== 'undecided') break;
  }
  const report: AcceptanceReport = {
    decision: test.decision,
    decidedAfter: test.decision === 'undecided' ? undefined : test.trials,
    missing: test.successesToAccept,
    ...{ test: options, folder, seed, productId },
    target: summaryOf(target, pictures),
    against:
      against &&
      summaryOf(
        against,
        pictures.flatMap(({ expected, against: other }) => (other ? { expected, ...other } : [])),
      ),
    pictures,
    changed: pictures.filter(({ verdict, against: other }) => other && other.verdict !== verdict),
    unreadable,
    ignored: found.ignored,
    report: o.report,
  };
  if (o.report !== undefined) await writeReport(o.report, report, found.pictures, o);
  return report;
}

async function deployed({ registry }: RunnerParts, { name, version }: VersionRef, signal?: AbortSignal) {
  const entry = await registry.get(name, version, { signal });
  if (entry) return entry;
  throw new RunnerError('not_found', `${name} ${version} is not deployed`, { details: { name, version } });
}

/** Before hours of inspections, not after them. */
async function checkWritable(file: string): Promise<void> {
  try {
    await access(path.dirname(path.resolve(file)), constants.W_OK);
  } catch (cause) {
    throw new RunnerError(
      'invalid_params',
      `acceptance(runner, folder, { target }): report ${file} cannot be written: ${(cause as Error).message}`,
      { cause, details: { path: 'report' } },
    );
  }
}

/** Read once: a guide that cannot be read is not the fault of each picture. A path is read by the rules for the pictures. */
async function guideOf({ guideImage, signal, ...o }: AcceptanceOptions) {
  if (guideImage === undefined || guideImage === 'same') return guideImage;
  if (typeof guideImage !== 'string') return pixelsOf(guideImage, { signal });
  const guide = { file: guideImage, ...readingOf(o) };
  const pixels = await pixelsOf(guide, { signal });
  if (o.decode !== 'package') return pixels;
  checkHandedOn(await readEncoded(guide, { signal }), true);
  return guide;
}

/** How pictures in files become pixels. */
function readingOf({ orientation, toEightBits, decode }: Partial<AcceptanceOptions>) {
  return { orientation, toEightBits, decode };
}

async function answerOf(
  runner: RunnerParts,
  { productId, version, picture }: { productId: string; version: VersionRef; picture: LabelledPicture },
  o: AcceptanceOptions,
): Promise<PictureAnswer> {
  const { stepIndex, userParams, guideImage, timeoutMs, signal } = o;
  throwIfAborted(signal, 'acceptance');
  try {
    const image = { file: picture.file, ...readingOf(o) };
    const call = { target: version, stepIndex, userParams, guideImage, timeoutMs, signal };
    const result = await inspectPicture(runner, productId, image, call, true);
    const timeMs = result.timing.totalMs - result.timing.startMs;
    return { verdict: verdictOf(result), timeMs, result };
  } catch (error) {
    if (!RunnerError.is(error)) throw error;
    const { code, message } = error;
    if (!FAULTS_OF_VERSION.has(code) && !FAULTS_OF_PICTURE.has(code)) throw error;
    // The package has no Pillow, and can decode none.
    if (code === 'unsupported_image' && error.details.path === 'decode') throw error;
    return { verdict: 'failed', error: { code, message } };
  }
}

function verdictOf({ status, data }: InspectionResult): AcceptanceVerdict {
  if (status === 'ERROR') return 'ERROR';
  const { result_status: verdict } = data;
  return verdict === 'OK' || verdict === 'NG' ? verdict : 'none';
}

async function writeReport(
  file: string,
  report: AcceptanceReport,
  found: readonly LabelledPicture[],
  { signal, ...o }: AcceptanceOptions,
): Promise<void> {
  const paths = new Map(found.map((picture) => [picture.name, picture.file]));
  const { htmlReport } = await import('./html-report.js');
  const html = await htmlReport(report, (name) => ({ file: paths.get(name) ?? name, ...readingOf(o) }), {
    signal,
  });
  try {
    await writeFile(file, html, { signal });
  } catch (cause) {
    throwIfAborted(signal, 'acceptance');
    throw new RunnerError(
      'store_failed',
      `The report ${file} cannot be written: ${(cause as Error).message}`,
      { cause, details: { path: file } },
    );
  }
}
