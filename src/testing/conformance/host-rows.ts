import { RunnerError } from '../../errors.js';
import type { ImageInput } from '../../frames/types.js';
import { parameterFaults } from '../../parameters/parameter-faults.js';
import { isKnownType } from '../../parameters/value-rules.js';
import { AlgorithmSupervisor } from '../../supervisor/algorithm-supervisor.js';
import type { InspectionRequest } from '../../supervisor/types.js';
import { resolveLimits } from '../../worker/limits.js';
import type { Ledger } from './ledger.js';
import { pastBounds, regionsOutside, wrongTypes, type BadValue } from './parameter-values.js';
import type { Subject } from './subject.js';

/** Rows that a supervisor is asked for. */
const HOST_ROWS = [1, 2, 4, 6, 7, 8, 9, 10, 16, 17, 18, 19] as const;
/** Of a call to a worker that is stopped. */
const STALLED_MS = 300;
/** Between two pings, and for an answer, so that a lost heartbeat need not be waited for long. */
const HEARTBEAT = { heartbeatIntervalMs: 300, heartbeatGraceMs: 1_000 };
/** The first bytes of a PNG of 64 x 48 pixels whose content never came. */
const CUT_PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAIAAAAuKetIAAAAD0lEQVR4nO3B', 'base64');

/** Runs what a host owes, with a supervisor of its own over the same store. */
export async function runHostRows(subject: Subject, ledger: Ledger): Promise<void> {
  if (!ledger.wants(...HOST_ROWS)) return;
  const { registry, worker, options } = subject;
  // Restarts must not wait, and no row may open the circuit for the next one.
  const restarts = { workers: 1, retries: 0, backoffMs: 1, maxRestarts: 100, maxCrashes: 100 };
  const limits = { ...options.policy?.limits, ...HEARTBEAT };
  await using supervisor = new AlgorithmSupervisor({
    ...{ registry, worker },
    policy: { ...options.policy, ...restarts, limits },
  });
  const host = new Host(subject, supervisor);
  await checkPictures(host, ledger);
  await checkParameters(host, subject, ledger);
  await ledger.run(10, async () => {
    const error = await host.refusal({ productId: 'CONFORMANCE-UNKNOWN', target: undefined });
    if (error) ledger.see(10, `host: refused as ${error.code}`);
    else ledger.fail(10, 'a call for a product id that no version is active for was answered');
  });
  await checkProcesses(host, subject, ledger);
}

/** Calls through the supervisor. */
class Host {
  readonly supervisor: AlgorithmSupervisor;
  readonly #subject: Subject;

  constructor(subject: Subject, supervisor: AlgorithmSupervisor) {
    this.#subject = subject;
    this.supervisor = supervisor;
  }

  request(change: Partial<InspectionRequest> = {}): InspectionRequest {
    const { entry, stepIndex, stepDesc, image, userParams, isPhased, productId } = this.#subject;
    const { name, version } = entry;
    return {
      ...{ stepIndex, stepDesc, image, userParams, target: { name, version } },
      ...(isPhased ? { productId } : { guideImage: 'same' }),
      ...change,
    };
  }

  /** What a call is refused with; undefined when it is answered. */
  async refusal(change: Partial<InspectionRequest>): Promise<RunnerError | undefined> {
    const { signal } = this.#subject.options;
    try {
      await this.supervisor.execute(this.request(change), { signal });
      return undefined;
    } catch (error) {
      if (!RunnerError.is(error) || error.code === 'aborted') throw error;
      return error;
    }
  }

  get processId(): number | undefined {
    const { name, version } = this.#subject.entry;
    return this.supervisor.status().find((one) => one.name === name && one.version === version)?.processId;
  }

  async start(): Promise<void> {
    const { entry, options } = this.#subject;
    await this.supervisor.start(entry.name, entry.version, { signal: options.signal });
  }

  /** What `provoke` comes to, once another worker is ready. */
  async untilReady<T>(provoke: () => Promise<T>): Promise<T> {
    const { supervisor } = this;
    const { loadMs } = resolveLimits(this.#subject.policy.limits);
    let ready: (() => void) | undefined;
    let timer: NodeJS.Timeout | undefined;
    const another = new Promise<void>((resolve, reject) => {
      ready = () => {
        resolve();
      };
      supervisor.once('ready', ready);
      timer = setTimeout(() => {
        reject(new Error(`no other worker was ready within ${loadMs} ms`));
      }, loadMs);
    });
    try {
      const [came] = await Promise.all([provoke(), another]);
      return came;
    } finally {
      clearTimeout(timer);
      supervisor.off('ready', ready);
    }
  }
}

/** Pictures that never reach a worker. */
async function checkPictures(host: Host, ledger: Ledger): Promise<void> {
  const { width, height } = { width: 64, height: 48 };
  const data = new Uint8Array(width * height * 3);
  for (const [row, what, image] of [
    [1, 'a file that is not there', { file: '/conformance/gone.png' }],
    [2, 'pixels without a width', { data, height }],
    [4, 'bytes that are no picture', { encoded: Buffer.alloc(100, 0xff) }],
    [4, 'a PNG that was cut off', { encoded: CUT_PNG }],
  ] as const) {
    await ledger.run(row, async () => {
      const error = await host.refusal({ image: image as ImageInput });
      if (error) ledger.see(row, `host: ${what} is refused as ${error.code}`);
      else ledger.fail(row, `host: ${what} was answered`);
    });
  }
}

async function checkParameters(host: Host, subject: Subject, ledger: Ledger): Promise<void> {
  const { params, size, stepIndex } = subject;
  const rows = [6, 7, 8, 9];
  if (!ledger.wants(...rows)) return;
  if (params.length === 0) {
    for (const row of rows) ledger.skip(row, 'the step declares no parameters');
    return;
  }
  for (const { path, message } of parameterFaults([{ index: stepIndex, params: [...params] }])) {
    ledger.fail(rowOfFault(message), `${path} ${message}`);
  }
  const known = params.filter(({ type }) => isKnownType(type));
  const required = known.filter(
    ({ required: is, default: standard }) => is === true && standard === undefined,
  );
  const missing = required.map(({ key }) => ({ key, value: undefined, what: `${key} left out` }));
  await checkRefused(
    host,
    subject,
    ledger,
    { row: 6, number: '1006', none: 'no parameter is required' },
    missing,
  );
  await checkRefused(host, subject, ledger, { row: 7, number: '1006', none: '' }, wrongTypes(known));
  const bounds = { row: 8, number: '1006', none: 'no parameter has bounds' };
  await checkRefused(host, subject, ledger, bounds, pastBounds(known));
  const regions = { row: 9, number: '1007', none: 'no parameter is a region' };
  await checkRefused(host, subject, ledger, regions, regionsOutside(known, size));
}

function rowOfFault(message: string): number {
  if (message.startsWith('has the type') || message.startsWith('is declared twice')) return 7;
  return message.startsWith('is required') ? 6 : 8;
}

async function checkRefused(
  host: Host,
  { userParams }: Subject,
  ledger: Ledger,
  { row, number, none }: { row: number; number: string; none: string },
  values: readonly BadValue[],
): Promise<void> {
  if (values.length === 0) ledger.skip(row, none);
  for (const { key, value, what } of values) {
    await ledger.run(row, async () => {
      const error = await host.refusal({ userParams: { ...userParams, [key]: value } });
      const issues = error?.details.issues ?? [];
      if (!error) {
        ledger.fail(
          row,
          `${what} reached the algorithm: let policy.parameters be 'check', and declare its type and bounds`,
        );
      } else if (error.errorCode !== number || !issues.some(({ path }) => path.endsWith(`.${key}`))) {
        ledger.fail(row, `${what} is not refused as ${number} naming it: ${error.message}`);
      } else ledger.see(row, `host: ${what} is refused`);
    });
  }
}

/** A process that hangs, that is silent, and that dies. */
async function checkProcesses(host: Host, subject: Subject, ledger: Ledger): Promise<void> {
  if (!ledger.wants(16, 17, 18, 19)) return;
  await host.start();
  await ledger.run(19, async () => {
    await host.untilReady(() => signal(host, 'SIGKILL'));
    await host.supervisor.execute(host.request());
    ledger.see(19, 'host: a killed worker is replaced, and the next call is answered');
  });
  if (process.platform === 'win32') {
    for (const row of [16, 17, 18]) ledger.skip(row, 'a process cannot be stopped on Windows');
    return;
  }
  for (const [row, phase] of [
    [16, 'preExecute'],
    [17, 'execute'],
  ] as const) {
    await ledger.run(row, async () => {
      if (row === 16 && !subject.isPhased) {
        ledger.skip(row, 'the execute-only generation has no pre_execute');
        return;
      }
      const before = host.processId;
      const error = await host.untilReady(async () => {
        await signal(host, 'SIGSTOP');
        const call = host.supervisor[phase](host.request({ timeoutMs: STALLED_MS }));
        return call.then(
          () => undefined,
          (reason: unknown) => reason,
        );
      });
      if (!RunnerError.is(error, 'timeout'))
        ledger.fail(row, `a call to a worker that hangs ended with ${String(error)}`);
      else if (before === host.processId) ledger.fail(row, 'the process that hangs was not replaced');
      else ledger.see(row, 'host: a worker that hangs is ended after the limit of the call, and replaced');
    });
  }
  await ledger.run(18, async () => {
    const lost = new Promise<void>((resolve) =>
      host.supervisor.once('heartbeatLost', () => {
        resolve();
      }),
    );
    await host.untilReady(async () => {
      await signal(host, 'SIGSTOP');
      await lost;
    });
    ledger.see(18, 'host: a worker that answers no ping is ended and replaced');
  });
}

// eslint-disable-next-line @typescript-eslint/require-await -- what it throws must be a rejection
async function signal(host: Host, name: NodeJS.Signals): Promise<void> {
  const { processId } = host;
  if (processId === undefined) throw new Error('no worker stands that could be sent a signal');
  process.kill(processId, name);
}
