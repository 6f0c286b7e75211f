import { RunnerError } from '../../errors.js';
import type { Generation } from '../../package/types.js';
import { standIn } from '../../worker/stand-ins.js';
import type { CallPhase, WorkerSpec } from '../../worker/types.js';
import { doors } from '../options.js';
import { PuppetCall } from './call.js';
import type { FakeResponse, FakeWorkerOptions } from './options.js';
import { PuppetProcess } from './process.js';
import { reportOf } from './picture-report.js';
import type { Puppet } from './puppet.js';
import { PuppetServer } from './puppet-server.js';
import { defaultData, helloOf } from './sdk-manners.js';
import type { FakeCall, FakeCallData, FakeProcess } from './types.js';

/**
 * A scripted worker, in Node, without Python. The real supervisor runs it as a real process, which speaks the worker
 * protocol over the real pipes; what it says is decided by code in the test: verdicts, errors, delays, crashes, stray
 * output, broken frames, at any call and at any moment between.
 *
 * One FakeWorker stands for all processes that are started of it: the workers of a pool, their successors after
 * crashes, those of several hosts in this process. Where the script says nothing it behaves as the SDK of its generation does.
 *
 * {@link TemporaryStore.deploy} makes a deployed version of it; a test below the supervisor takes {@link FakeWorker.spec}.
 *
 * @example
 * ```ts
 * import { FakeWorker, TemporaryStore } from 'procvision-runner/testing';
 *
 * await using store = await TemporaryStore.open();
 * const fake = new FakeWorker();
 * const { name, version } = await store.deploy({ worker: fake });
 * const supervisor = store.supervise();
 *
 * fake.answerOnce('execute', (call) => call.process.exit(9)); // the first call kills its worker
 * const image = { data: new Uint8Array(12), width: 2, height: 2 };
 * const { attempts } = await supervisor.execute({ target: { name, version }, stepIndex: 1, image });
 * console.log(attempts, fake.calls.length, fake.processes.length); // 2 2 2
 * ```
 */
export class FakeWorker implements AsyncDisposable {
  /** How it is called. */
  readonly generation: Generation;
  readonly #options: FakeWorkerOptions;
  readonly #answers: Map<string, FakeResponse>;
  /** For one call each, in order. */
  readonly #next: { phase: CallPhase; response: FakeResponse }[] = [];
  readonly #calls: PuppetCall[] = [];
  readonly #processes: PuppetProcess[] = [];
  #server: Promise<PuppetServer> | undefined;
  #closed: Promise<void> | undefined;

  /** @throws RunnerError `invalid_params` */
  constructor(options: FakeWorkerOptions = {}) {
    doors().fakeWorker.check(options);
    this.#options = options;
    this.generation = options.generation ?? 'phased';
    this.#answers = new Map(Object.entries(options.answers ?? {}));
  }

  /** Every call it got, in order, over all processes. */
  get calls(): readonly FakeCall[] {
    return this.#calls;
  }

  /** Every process that was started of it, in order, those that have ended too. */
  get processes(): readonly FakeProcess[] {
    return this.#processes;
  }

  /**
   * Says what is done with every call of a phase from now on.
   *
   * @example
   * ```ts
   * fake.answer('execute', { data: { result_status: 'NG', ng_reason: 'scratch', defect_rects: [] } });
   * fake.answer('pre', { error: 'the lamp is off' });
   * fake.answer('execute', async (call) => {
   *   await setTimeout(200);
   *   return { data: { debug: { pid: call.data.pid } } };
   * });
   * ```
   */
  answer(phase: CallPhase, response: FakeResponse): this {
    doors().answer.check({ phase, response });
    this.#answers.set(phase, response);
    return this;
  }

  /**
   * Says what is done with the next call of a phase alone. Said again, it is for the call after that one.
   *
   * @example
   * ```ts
   * fake.answerOnce('execute', (call) => call.process.die('SIGSEGV'));
   * fake.answerOnce('execute', (call) => {
   *   call.process.print('half a frame follows');
   *   call.process.write(call.process.frame({ type: 'result' }).subarray(0, 9));
   *   return call.hang();
   * });
   * ```
   */
  answerOnce(phase: CallPhase, response: FakeResponse): this {
    doors().answer.check({ phase, response });
    this.#next.push({ phase, response });
    return this;
  }

  /**
   * Holds the next call of a phase: resolves when it has come, and leaves the answer to the caller. So a test has a call
   * in flight for as long as it needs, and sleeps for nothing.
   *
   * @example
   * ```ts
   * const held = fake.hold();
   * const result = supervisor.execute({ productId: 'A01', stepIndex: 1, image });
   * const call = await held; // now it is at the worker
   * call.answer({ data: { debug: 'at last' } });
   * await result;
   * ```
   */
  hold(phase: CallPhase = 'execute'): Promise<FakeCall> {
    return new Promise((resolve) => {
      this.answerOnce(phase, (call) => {
        resolve(call);
        return call.over;
      });
    });
  }

  /** Program and arguments that start a process of it: it listens for them from now on, until it is closed. */
  async command(): Promise<string[]> {
    return (await this.#open()).command;
  }

  /**
   * What an `AlgorithmWorker` takes, for tests without a store.
   *
   * @example
   * ```ts
   * await using fake = new FakeWorker();
   * await using worker = new AlgorithmWorker(await fake.spec());
   * await worker.start();
   * const reply = await worker.call({ phase: 'execute' });
   * ```
   */
  async spec(fields: Partial<WorkerSpec> = {}): Promise<WorkerSpec> {
    const { folder } = await this.#open();
    const about = { name: 'fake', version: '1.0.0', entryPoint: 'fake:Worker', python: process.execPath };
    const spec = { ...about, root: folder, frameDirectory: folder, ...fields };
    await this.standIn(spec.root);
    return spec;
  }

  /**
   * Has its processes be the workers of the version in a folder, for every host in this process. Once it is closed
   * they end at their start.
   * {@link TemporaryStore.deploy} does that for the version that it makes.
   */
  async standIn(root: string): Promise<void> {
    standIn(root, (await this.#open()).command);
  }

  /** Kills the processes that are left, and listens no more. Close what supervises them before. */
  close(): Promise<void> {
    return (this.#closed ??= (async () => {
      const server = await this.#server;
      await server?.close();
    })());
  }

  /** See {@link FakeWorker.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(): Promise<PuppetServer> {
    if (this.#closed) {
      throw new RunnerError('closed', 'The FakeWorker was closed: no more processes of it are started');
    }
    return (this.#server ??= PuppetServer.open((puppet) => void this.#run(puppet)));
  }

  async #run(puppet: Puppet): Promise<void> {
    const worker = new PuppetProcess(puppet, this.#processes.length, helloOf(this.#options));
    this.#processes.push(worker);
    try {
      if (this.#options.start) await this.#options.start(worker);
      else worker.hello();
    } catch (error) {
      // As an SDK tells that the import failed.
      const about = { request_id: null, timestamp_ms: Date.now(), status: 'ERROR', error_code: '1000' };
      worker.send({ type: 'error', ...about, message: textOf(error) });
      await worker.exit(0);
    }
    while (!worker.hasEnded) await this.#serve(worker, await worker.read());
  }

  async #serve(worker: PuppetProcess, message: Record<string, unknown> | undefined): Promise<void> {
    const about = { timestamp_ms: Date.now(), status: 'OK' };
    switch (message?.type) {
      case 'ping':
        worker.send({ type: 'pong', request_id: message.request_id, ...about });
        return;
      case 'call': {
        const answered = this.#handle(worker, message);
        if (!this.#options.answersPingsInCalls) await answered;
        return;
      }
      case 'batch':
        // Several calls in one message, for a worker whose capabilities tell of `batch`.
        for (const call of Array.isArray(message.calls) ? (message.calls as object[]) : []) {
          await this.#serve(worker, { ...call });
        }
        return;
      case 'shutdown':
        worker.send({ type: 'shutdown', ...about });
        await worker.exit(0);
        return;
      case undefined: // the end of its input
        await worker.exit(0);
    }
  }

  async #handle(worker: PuppetProcess, message: Record<string, unknown>): Promise<void> {
    const data = message.data as FakeCallData;
    const call = new PuppetCall(worker, message, await defaultData(this.generation, data, worker.directory));
    this.#calls.push(call);
    const pictures = await reportOf(message, worker.environment);
    if (pictures && !this.#options.hidesPictures) {
      worker.send({ type: 'pictures', request_id: call.requestId, pictures });
    }
    try {
      const response = this.#take(call.phase);
      const answer = typeof response === 'function' ? await response(call) : response;
      if (answer || (call.answers.length === 0 && !worker.hasEnded)) call.answer(answer ?? {});
    } catch (error) {
      call.answer({ error: textOf(error) });
    }
  }

  #take(phase: CallPhase): FakeResponse {
    const index = this.#next.findIndex((next) => next.phase === phase);
    const [next] = index < 0 ? [] : this.#next.splice(index, 1);
    return next?.response ?? this.#answers.get(phase) ?? {};
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
