import { isDeepStrictEqual } from 'node:util';
import { RunnerError } from '../../errors.js';
import type { FramePool } from '../../frames/frame-pool.js';
import type { SentImage } from '../../frames/types.js';
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
 * @throws RunnerError when the cold worker does not start, or the server goes, which says nothing of forking; `aborted`
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
    if (signal.aborted || server.isGone) throw error;
    return {
      isFit: false,
      coldMs,
      reason: `a forked worker does not become ready: ${(error as Error).message}`,
    };
  }
  if (server.isGone) throw new RunnerError('closed', 'The fork server has ended during the trial');
  const times = { coldMs, warmMs: Math.round(warm.startMs) };
  // All that the algorithm tells where it tells the same each time; else the verdict alone.
  const [one, other] = cold.answers;
  const compared = isDeepStrictEqual(one, other) ? (answer: Answer) => answer : essenceOf;
  const [expected, found] = [cold, warm].map(({ answers }) => answers.map(compared));
  if (!isDeepStrictEqual(expected, found)) {
    return { isFit: false, ...times, reason: difference(expected, found) };
  }
  if (times.warmMs > WORTH_IT * coldMs) {
    return { isFit: false, ...times, reason: 'a forked worker is not ready sooner by enough' };
  }
  return { isFit: true, ...times };
}

type Answer = Partial<Pick<WorkerReply, 'status' | 'errorCode' | 'data'>> & { failure?: string };

interface Answers {
  startMs: number;
  answers: Answer[];
}

async function answersOf(worker: AlgorithmWorker, context: TrialContext): Promise<Answers> {
  const { frames, call, signal } = context;
  let image: SentImage | undefined;
  try {
    const { startMs, generation } = await worker.start({ signal });
    const picture = { data: pattern(), width: WIDTH, height: HEIGHT, channels: 3 } as const;
    image = await frames.send(picture, { signal, proof: 'full' });
    const pictures = { image, ...(generation === 'execute-only' && { guideImage: image }) };
    const answers: Answer[] = [];
    for (let count = 0; count < 2; count++) {
      signal.throwIfAborted();
      try {
        const { status, errorCode, data } = await worker.call({ ...call, ...pictures }, { signal });
        answers.push({ status, errorCode, data });
      } catch (error) {
        if (!RunnerError.is(error) || error.code === 'aborted') throw error;
        answers.push({ failure: error.code });
        break;
      }
    }
    return { startMs, answers };
  } finally {
    try {
      await worker.stop('trial of forking');
    } finally {
      image?.done();
    }
  }
}

/** The verdict: without times, ids and the values for debugging. */
function essenceOf({ status, errorCode, data = {}, failure }: Answer): unknown {
  const { result_status: verdict, ng_reason: reason, defect_rects: defects } = data;
  return { status, errorCode, verdict, reason, defects, failure };
}

function difference(cold: unknown, warm: unknown): string {
  const failure = /"failure":"(\w+)"/.exec(JSON.stringify(warm))?.[1];
  if (failure !== undefined) return `a forked worker does not answer a call: ${failure}`;
  const [one, other] = [cold, warm].map((answers) => JSON.stringify(answers).slice(0, 200));
  return `a forked worker answers the same picture differently: ${other}, and a cold worker ${one}`;
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
