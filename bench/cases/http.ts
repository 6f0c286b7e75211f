/** What HTTP costs: an inspection over a kept connection beside the same call in process. */
import type { AlgorithmSupervisor } from '../../src/index.js';
import type { BenchCase, BenchContext } from '../harness/case.js';
import { each, median, percentile } from '../harness/statistics.js';
import { contestantsOf, oneAfterTheOther } from '../peers/contestants.js';
import { fastApi } from '../peers/fastapi.js';
import { oursHttp } from '../peers/ours-http.js';
import { LARGE, SMALL } from '../peers/peer.js';
import { tritonHttp } from '../peers/triton.js';
import { listenHttp } from '../support/http-server.js';
import { openStation, SAMPLE } from '../support/station.js';

const WIDTH = 640;
const HEIGHT = 480;
const PIXELS = new Uint8Array(WIDTH * HEIGHT * 3).fill(50);
const HEADERS = {
  'content-type': 'application/octet-stream',
  'x-image-width': String(WIDTH),
  'x-image-height': String(HEIGHT),
  'x-image-format': 'RGB8',
};
const CLIENTS = 8;
const WORK_MS = 10;

/** A server around a station, and what asks it. */
async function serve(context: BenchContext, workers: number) {
  const { main } = context.library;
  const { registry, supervise } = await openStation(context);
  await registry.activate({ ...SAMPLE, productIds: ['A'] });
  const supervisor = supervise({ executeTimeoutMs: 60_000 }, 'bundled');
  await supervisor.start(SAMPLE.name, SAMPLE.version, { workers });
  const deployer = new main.Deployer({ registry });
  context.onClose(() => deployer.close());
  const { client, close } = await listenHttp(context, { registry, deployer, supervisor });
  context.onClose(close);
  return { supervisor, client };
}

/** The calls that `POST /inspections` makes: both phases in one session. */
async function inProcess(supervisor: AlgorithmSupervisor, userParams: Record<string, unknown> = {}) {
  const image = { data: PIXELS, width: WIDTH, height: HEIGHT };
  const session = { id: crypto.randomUUID() };
  const request = { productId: 'A', stepIndex: 1, image, session, userParams };
  await supervisor.preExecute(request);
  await supervisor.execute(request);
}

const call: BenchCase = {
  name: 'http/inspection',
  measures: `An inspection of ${WIDTH} x ${HEIGHT} x 3 pixels over a kept connection, and the same calls in process`,
  figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' }, added: { unit: 'ms' } },
  bars: [{ figure: 'added', contestant: 'ours, HTTP', atMost: 1 }],
  async open(context) {
    const { supervisor, client } = await serve(context, 1);
    const calls = context.quick ? 50 : 500;
    return {
      'ours, HTTP': () => ({
        round: async () => {
          // One after the other in turn, so that both see the same machine.
          const own: number[] = [];
          const samples = await each(calls, async () => {
            await client.post('/inspections/A', PIXELS, HEADERS);
          });
          own.push(...(await each(calls, () => inProcess(supervisor))));
          return {
            p50: median(samples),
            p99: percentile(samples, 0.99),
            added: median(samples) - median(own),
          };
        },
      }),
    };
  },
};

const throughput: BenchCase = {
  name: 'http/throughput',
  measures: `Inspections a second of ${CLIENTS} clients at two workers, the algorithm taking ${WORK_MS} ms`,
  figures: { throughput: { unit: 'calls/s', better: 'higher' } },
  bars: [{ figure: 'throughput', contestant: 'ours, HTTP', over: 'ours, in process', atLeast: 0.95 }],
  async open(context) {
    const { supervisor, client } = await serve(context, 2);
    const userParams = { sleep_ms: WORK_MS };
    const form = () => {
      const head = (name: string, type: string) =>
        `--b\r\nContent-Disposition: form-data; name="${name}"\r\nContent-Type: ${type}\r\n\r\n`;
      return Buffer.concat([
        Buffer.from(head('image', 'application/octet-stream')),
        PIXELS,
        Buffer.from(`\r\n${head('params', 'application/json')}${JSON.stringify(userParams)}\r\n--b--\r\n`),
      ]);
    };
    const body = form();
    const headers = { ...HEADERS, 'content-type': 'multipart/form-data; boundary=b' };
    const share = context.quick ? 5 : 40;
    const round = (ask: () => Promise<unknown>) => async () => {
      const startedAt = performance.now();
      await Promise.all(Array.from({ length: CLIENTS }, () => each(share, ask)));
      return { throughput: (share * CLIENTS * 1_000) / (performance.now() - startedAt) };
    };
    return {
      'ours, HTTP': () => ({ round: round(() => client.post('/inspections/A', body, headers)) }),
      'ours, in process': () => ({ round: round(() => inProcess(supervisor, userParams)) }),
    };
  },
};

const HTTP_PEERS = [oursHttp, fastApi, tritonHttp];

/** The same pictures in the bodies of requests to servers of others. */
function besidePeers(name: string, size: typeof SMALL, most: number): BenchCase {
  const ours = { figure: 'p50', contestant: oursHttp.name, atMost: 1 };
  return {
    name: `http/peers-${name}`,
    measures: `One request after the other over a kept connection, a picture of ${size.width} x ${size.height} in its body`,
    figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' } },
    bars: [
      { ...ours, over: fastApi.name },
      { ...ours, over: tritonHttp.name },
    ],
    limitSeconds: 600,
    open: (context) =>
      Promise.resolve(
        contestantsOf(HTTP_PEERS, context, { size }, async (calls) => {
          const { p50, p99 } = await oneAfterTheOther(calls, context.quick ? 15 : most);
          return { p50, p99 };
        }),
      ),
  };
}

export const cases: BenchCase[] = [
  ...[call, throughput],
  ...[besidePeers('small', SMALL, 300), besidePeers('large', LARGE, 150)],
];
