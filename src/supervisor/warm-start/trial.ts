import { isDeepStrictEqual } from 'node:util';
import { RunnerError } from '../../errors.js';
import type { FramePool } from '../../frames/frame-pool.js';
import { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { ForkServer } from '../../worker/fork-server.js';
import type { WorkerCall, WorkerLimits, WorkerReply, WorkerSpec } from '../../worker/types.js';
import type { Verdict } from './verdicts.js';

/** A forked worker has to be ready in this share of the time of a cold one to be worth its server. */
const WORTH_IT = 0.7;
/** A forked worker that takes longer than a cold one by this factor is taken for a hang. */
const PATIENCE = 3;
const LEAST_PATIENCE_MS = 2_000;
const WIDTH = 640;
const HEIGHT = 480;

/** What the trial is made with. */
export interface TrialContext {
  spec: WorkerSpec;
  limits: WorkerLimits;
  frames: FramePool;
  /** What is asked of both, besides the picture. */
  call: Omit<WorkerCall, 'image' | 'guideImage'>;
  /** Ends it. */
  signal: AbortSignal;
}

/** How long a forked worker may take to be ready, by what a cold one took, in milliseconds. */
export function forkedLimits(limits: WorkerLimits, coldMs: number): WorkerLimits {
  const most = Math.max(LEAST_PATIENCE_MS, PATIENCE * coldMs);
  return { ...limits, helloMs: Math.min(limits.helloMs, most), loadMs: Math.min(limits.loadMs, most) };
}

/**
 * Finds out whether a version may be forked: one worker is started cold, then one is forked, and both are asked the same. A
 * library that does not survive the fork shows as no answer, or as another.
 *
 * @throws RunnerError when the cold worker does not start, which is no matter of forking; `aborted`
 */
export async function tryForking(server: ForkServer, context: TrialContext): Promise<Verdict> {
  if (server.unfit !== undefined) return { isFit: false, reason: server.unfit };
  const { spec, limits, signal } = context;
  const cold = await answersOf(new AlgorithmWorker(spec, limits), context);
  const coldMs = Math.round(cold.startMs);
  let warm: Answers;
  try {
    warm = await answersOf(
      new AlgorithmWorker(spec, forkedLimits(limits, coldMs), undefined, server),
      context,
    );
  } catch (error) {
    if (signal.aborted) throw error;
    return {
      isFit: false,
      coldMs,
      reason: `a forked worker does not become ready: ${(error as Error).message}`,
    };
  }
  const times = { coldMs, warmMs: Math.round(warm.startMs) };
  if (!isDeepStrictEqual(warm.answers, cold.answers)) {
    return { isFit: false, ...times, reason: difference(cold.answers, warm.answers) };
  }
  if (times.warmMs > WORTH_IT * coldMs) {
    return { isFit: false, ...times, reason: 'a forked worker is not ready sooner by enough' };
  }
  return { isFit: true, ...times };
}

interface Answers {
  startMs: number;
  answers: unknown[];
}

async function answersOf(worker: AlgorithmWorker, context: TrialContext): Promise<Answers> {
  const { frames, call, signal } = context;
  try {
    const { startMs, generation } = await worker.start({ signal });
    const image = await frames.send(
      { data: pattern(), width: WIDTH, height: HEIGHT, channels: 3 },
      { signal },
    );
    const pictures = { image, ...(generation === 'execute-only' && { guideImage: image }) };
    const answers: unknown[] = [];
    for (let count = 0; count < 2; count++) {
      signal.throwIfAborted();
      try {
        answers.push(essenceOf(await worker.call({ ...call, ...pictures }, { signal })));
      } catch (error) {
        if (!RunnerError.is(error) || error.code === 'aborted') throw error;
        answers.push({ failure: error.code });
        break;
      }
    }
    return { startMs, answers };
  } finally {
    await worker.stop('trial of forking');
  }
}

/** What must be the same: not times, ids and the values for debugging. */
function essenceOf({ status, errorCode, data }: WorkerReply): unknown {
  const { result_status: verdict, ng_reason: reason, defect_rects: defects } = data;
  return { status, errorCode, verdict, reason, defects };
}

function difference(cold: unknown[], warm: unknown[]): string {
  const failed = warm.find((answer) => 'failure' in (answer as object));
  if (failed) return `a forked worker does not answer a call: ${(failed as { failure: string }).failure}`;
  const [one, other] = [cold, warm].map((answers) => JSON.stringify(answers).slice(0, 200));
  return `a forked worker answers the same picture differently: ${other}, and a cold one ${one}`;
}

/** A picture with edges, a slope and a few spots. */
function pattern(): Uint8Array {
  const pixels = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let index = 0; index < pixels.length; index++) {
    const at = Math.floor(index / 3);
    const x = at % WIDTH;
    const y = Math.floor(at / WIDTH);
    pixels[index] = (x >> 5) % 2 === (y >> 5) % 2 ? (x + y + index) & 255 : 40 + ((x * y) % 17);
  }
  return pixels;
}
