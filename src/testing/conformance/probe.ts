import { RunnerError } from '../../errors.js';
import type { ImageInput, SentImage } from '../../frames/types.js';
import { findViolation, type Violation } from '../../supervisor/calls/result-contract.js';
import { AlgorithmWorker } from '../../worker/algorithm-worker.js';
import type { CallImage, CallPhase, WorkerExit, WorkerReply } from '../../worker/types.js';
import type { Ledger } from './ledger.js';
import type { Subject } from './subject.js';

/** What came of one call. */
export type Outcome =
  /** The algorithm answered, with a verdict or with ERROR. */
  | { kind: 'answered'; reply: WorkerReply }
  /** It raised an exception. */
  | { kind: 'raised'; reply: WorkerReply; what: string }
  /** Its process ended, or did not answer in time. */
  | { kind: 'ended'; error: RunnerError };

/** How a call differs from an ordinary one. */
export interface ProbeCall {
  phase?: CallPhase;
  image?: ImageInput;
  /** Changes how the worker finds the picture, or what it says of it. */
  alter?: (sent: SentImage) => CallImage;
  productId?: string;
  userParams?: Record<string, unknown>;
  stepDesc?: string;
}

/** One worker for the rows of the algorithm: started at the first call, and again after it has ended. */
export class Probe implements AsyncDisposable {
  /** Verdicts that were given; each was held against the contract of answers. */
  verdicts = 0;
  readonly #subject: Subject;
  readonly #ledger: Ledger;
  #worker: AlgorithmWorker | undefined;

  constructor(subject: Subject, ledger: Ledger) {
    this.#subject = subject;
    this.#ledger = ledger;
  }

  /** The worker, ready for a call. @throws RunnerError as {@link AlgorithmWorker.start} */
  async ready(): Promise<AlgorithmWorker> {
    if (this.#worker?.state === 'idle') return this.#worker;
    await this.#worker?.stop();
    const { spec, policy, options } = this.#subject;
    const worker = new AlgorithmWorker(spec, policy.limits);
    worker.on('protocolError', (error) => {
      this.#ledger.fail(20, error.message);
    });
    await worker.start({ signal: options.signal });
    return (this.#worker = worker);
  }

  /** One call. The contract of answers (rows 23 to 26) is held against each verdict. */
  async call(o: ProbeCall = {}): Promise<Outcome> {
    const { frames, policy, options, entry, ...ordinary } = this.#subject;
    const { phase = 'execute', image = ordinary.image } = o;
    const worker = await this.ready();
    const sent = await frames.send(image, { proof: policy.proof, signal: options.signal });
    try {
      const reply = await worker.call(
        {
          phase,
          stepIndex: ordinary.stepIndex,
          stepDesc: o.stepDesc ?? ordinary.stepDesc,
          productId: o.productId ?? ordinary.productId,
          userParams: o.userParams ?? ordinary.userParams,
          session: { id: `conformance-${entry.name}`, context: {} },
          image: o.alter?.(sent) ?? sent,
        },
        { signal: options.signal },
      );
      return this.#read(reply, phase, sent);
    } catch (error) {
      if (!RunnerError.is(error) || error.code === 'aborted') throw error;
      return { kind: 'ended', error };
    } finally {
      sent.done(worker.state === 'idle' ? undefined : worker.whenTreeEnded());
    }
  }

  /** Ends the worker in order, and tells how it ended. */
  async stop(): Promise<WorkerExit | undefined> {
    const exit = this.#worker?.state === 'idle' ? await this.#worker.stop() : undefined;
    await this[Symbol.asyncDispose]();
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.stop();
    this.#worker = undefined;
  }

  #read(reply: WorkerReply, phase: CallPhase, sent: SentImage): Outcome {
    if (reply.isErrorFrame && !reply.isPictureLost) {
      const { raised, message, errorCode } = reply;
      if (errorCode === '1000' && !raised) {
        this.#ledger.fail(25, `${phase}: ${message}. Return a dict with status, message and data`);
        return { kind: 'answered', reply };
      }
      if (raised || errorCode === '1009') {
        const where = raised?.file === undefined ? '' : ` (${raised.file}:${raised.line ?? '?'})`;
        return { kind: 'raised', reply, what: `${raised?.type ?? 'an exception'}: ${message}${where}` };
      }
    }
    const violation = findViolation(reply, phase, sent.meta);
    if (violation) {
      this.#ledger.fail(
        rowOf(violation),
        `${phase} answers with ${violation.path}, which ${violation.message}`,
      );
    }
    if (phase === 'execute' && reply.status === 'OK') this.verdicts++;
    return { kind: 'answered', reply };
  }
}

/** The row that a fault of an answer belongs to. */
function rowOf({ path, message }: Violation): number {
  if (message.startsWith('must have at most')) return 23;
  if (message.endsWith('not nothing') || path === 'data.ng_reason') return 25;
  if (path === 'data.result_status') return 26;
  return /^data\.[a-z_]+\.\d+\./.test(path) ? 24 : 25;
}
