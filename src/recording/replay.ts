import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../abort.js';
import { RunnerError } from '../errors.js';
import { checkToEightBits } from '../frames/pixels/layout.js';
import { formats, isWideGray, rowBytesOf, type FormatFacts } from '../frames/pixels/formats.js';
import type { ImageInput } from '../frames/types.js';
import { compareAnswers } from './comparison.js';
import { checkNumbers } from './bounds.js';
import { ComparisonLog } from './comparison-report.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import { BESIDE_LINE } from '../supervisor/calls/request-mark.js';
import type { RetainedVersion } from '../supervisor/observers.js';
import { doors } from '../supervisor/options.js';
import type { ComparisonReport, ReplayOptions } from '../supervisor/recording-types.js';
import type { InspectionRequest } from '../supervisor/types.js';
import { readCall, recordedNumbers, type RecordedCall, type RecordedImage } from './format.js';
import { readNpy } from '../frames/npy-reader.js';

/** Failures of the supervisor or of the caller, not of the version. */
const ENDS_REPLAY: ReadonlySet<string> = new Set(['aborted', 'closed', 'not_found', 'not_initialized']);

/**
 * Makes the calls of a recording again at any deployed version, one after the other, and compares the answers with
 * the recorded ones. A version that is started for this alone is stopped afterwards. Left out are calls that had failed
 * when they were recorded, those of a phase that the version does not have, and those that cannot be read, which the
 * report names. A picture that was compared with nothing is compared with the guide that is registered for its product id and step,
 * where the version compares.
 *
 * @throws RunnerError `invalid_params` for a folder that is no recording, `not_found`, `start_failed`, `aborted`,
 * `closed`
 */
export async function replay(supervisor: AlgorithmSupervisor, o: ReplayOptions): Promise<ComparisonReport> {
  doors().replay.check(o);
  if (o.toEightBits !== undefined) checkToEightBits(o.toEightBits);
  throwIfAborted(o.signal, 'replay');
  checkNumbers(o);
  const { name, version, signal } = o;
  const numbers = await recordedNumbers(o.directory);
  const retained = await supervisor.retain(name, version, { signal });
  try {
    const log = new ComparisonLog('the recording', `${name} ${version}`);
    for (const [index, number] of numbers.entries()) {
      throwIfAborted(signal, 'replay');
      await replayCall(supervisor, retained, o, number, log);
      o.onProgress?.(index + 1, numbers.length);
    }
    return log.report();
  } finally {
    await retained[Symbol.asyncDispose]();
  }
}

async function replayCall(
  supervisor: AlgorithmSupervisor,
  retained: RetainedVersion,
  { directory, name, version, signal, minIou, toEightBits }: ReplayOptions,
  number: number,
  log: ComparisonLog,
): Promise<void> {
  const id = String(number);
  let recorded: RecordedCall;
  let request: InspectionRequest;
  try {
    recorded = await readCall(directory, number);
    if (!recorded.result) {
      log.skipped();
      return;
    }
    request = await requestOf({ directory, toEightBits }, recorded, { name, version });
  } catch (error) {
    // Damaged by a power cut, dropped by a recorder that goes on, or forged: that says nothing of the version.
    log.skipped({ id, error: error as RunnerError });
    return;
  }
  const { result: expected, phase } = recorded;
  try {
    const { user_params: given, kept_params: kept } = recorded.request;
    request.userParams = retained.parametersFor(request.stepIndex, { productId: recorded.pid, given, kept });
    const actual = await (phase === 'pre'
      ? supervisor.preExecute(request, { signal })
      : supervisor.execute(request, { signal }));
    const comparison = compareAnswers(expected, actual, minIou);
    log.compared(id, comparison, expected.timing.call_ms, actual.timing.callMs);
  } catch (error) {
    if (!RunnerError.is(error) || ENDS_REPLAY.has(error.code)) throw error;
    if (error.code === 'unsupported_phase') log.skipped();
    else log.failed(id, error);
  }
}

type Source = Pick<ReplayOptions, 'directory' | 'toEightBits'>;

async function requestOf(
  source: Source,
  { request, pid, image, guide_image: guide, guide: withoutGuide }: RecordedCall,
  target: { name: string; version: string },
): Promise<InspectionRequest> {
  return {
    ...BESIDE_LINE,
    target,
    productId: pid,
    stepIndex: request.step_index,
    stepDesc: request.step_desc,
    guideInfo: request.guide_info as InspectionRequest['guideInfo'],
    session: request.session,
    image: await load(source, image),
    // Compared with nothing, it needs a guide at a version that compares: the registered one, as on the line.
    guideImage: guide ? await load(source, guide) : withoutGuide === 'none' ? undefined : 'same',
  };
}

async function load({ directory, toEightBits }: Source, recorded: RecordedImage): Promise<ImageInput> {
  const file = path.resolve(directory, recorded.file);
  // A recording may come from somewhere else: it names its own files and no others.
  if (!file.startsWith(path.resolve(directory) + path.sep)) {
    throw new RunnerError(
      'invalid_params',
      `The recording names an image outside its folder: ${recorded.file}`,
      {
        details: { path: recorded.file },
      },
    );
  }
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new RunnerError('invalid_params', `The recording lacks its image ${recorded.file}`, {
      cause,
      details: { path: file },
    });
  });
  const { width, height, camera_id: cameraId, timestamp_ms: timestampMs, color_space: colorSpace } = recorded;
  const meta = { width, height, cameraId, timestampMs, colorSpace };
  if (file.endsWith('.bin')) return { encoded: bytes, ...meta };
  const pixels = readNpy(bytes, file);
  const format = pixels.pixelFormat && wideFormatOf(recorded);
  const rule = pixels.pixelFormat && { toEightBits };
  return { ...meta, ...pixels, ...(format && inFormat(pixels, format)), ...rule };
}

/** None for Mono16, which the values are in the file, and of a recording of before it was kept. */
function wideFormatOf({ pixel_format: name }: RecordedImage): FormatFacts | undefined {
  const format = name === undefined ? undefined : formats().get(name);
  return format && isWideGray(format) ? format : undefined;
}

/** Values of 16 bits as they came: a version may take them in that format alone, and reads from it how many bits a value has. */
function inFormat(
  { data, width, height }: { data: Uint8Array; width: number; height: number },
  format: FormatFacts,
) {
  const { name: pixelFormat, kind, bits } = format;
  if (kind !== 'packed') return { pixelFormat };
  const strideBytes = rowBytesOf(format, width);
  const packed = new Uint8Array(strideBytes * height);
  for (let at = 0; at < width * height; at++) {
    const bit = (at % width) * bits;
    const value = ((data[2 * at] ?? 0) | ((data[2 * at + 1] ?? 0) << 8)) << (bit % 8);
    const to = Math.floor(at / width) * strideBytes + Math.floor(bit / 8);
    for (let rest = value, place = to; rest > 0; rest >>= 8, place++) {
      packed[place] = (packed[place] ?? 0) | (rest & 0xff);
    }
  }
  return { pixelFormat, data: packed, strideBytes };
}
