import http from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import { serveHttpRunner } from '../support/http-runner.js';

/** `npm run soak:http` takes ten minutes. */
const SECONDS = Number(process.env.SOAK_HTTP_SECONDS ?? 3);
const CLIENTS = 8;
/** A worker is killed after so many answers. */
const ANSWERS_A_KILL = 60;
const MOST_GROWTH = 24 * 2 ** 20;

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test(
  `${CLIENTS} clients at once for ${SECONDS} s, workers being killed: no request is left unanswered, and memory stays`,
  { timeout: (SECONDS + 120) * 1_000 },
  async () => {
    const { port, registry, supervisor, deployer, deliver } = await serveHttpRunner();
    await deployer.install(await deliver());
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    await supervisor.configure('sample', '1.0.0', { maxRestarts: 1_000_000, maxCrashes: 1_000_000 });
    await supervisor.start('sample', '1.0.0', { workers: 2 });
    const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
    onTestFinished(() => {
      agent.destroy();
    });
    const pixels = Buffer.alloc(64 * 48 * 3, 7);
    const headers = {
      ...{ 'content-type': 'application/octet-stream', 'content-length': pixels.length },
      ...{ 'x-image-width': 64, 'x-image-height': 48 },
    };
    const ask = () =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const request = http.request(
          {
            agent,
            port,
            host: '127.0.0.1',
            method: 'POST',
            path: '/inspections/A01',
            headers,
            timeout: 60_000,
          },
          (response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (part: string) => (text += part));
            response.once('end', () => {
              resolve({ status: response.statusCode ?? 0, text });
            });
            response.once('error', reject);
          },
        );
        request.once('timeout', () => request.destroy(new Error('no answer within a minute')));
        request.once('error', reject);
        request.end(pixels);
      });
    const statuses = new Map<number, number>();
    let [answers, kills] = [0, 0];
    const killOne = () => {
      const running =
        supervisor.status()[0]?.workers.filter(({ processId }) => processId !== undefined) ?? [];
      const one = running[kills % Math.max(1, running.length)];
      if (one?.processId !== undefined) process.kill(one.processId, 'SIGKILL');
      kills++;
    };
    const heaps: number[] = [];
    const endAt = performance.now() + SECONDS * 1_000;
    const marks = [0.4, 0.6, 0.8].map((share) => endAt - SECONDS * 1_000 * (1 - share));
    const client = async () => {
      while (performance.now() < endAt) {
        const { status, text } = await ask();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        expect(() => JSON.parse(text) as unknown).not.toThrow();
        if (++answers % ANSWERS_A_KILL === 0) killOne();
        if (marks[0] !== undefined && performance.now() > marks[0]) {
          marks.shift();
          heaps.push(heapBytes());
        }
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    heaps.push(heapBytes());
    const told = { answers, kills, statuses: Object.fromEntries(statuses), heaps };
    if (process.env.SOAK_HTTP_SECONDS !== undefined) process.stderr.write(`${JSON.stringify(told)}\n`);
    expect(kills).toBeGreaterThan(0);
    // A call whose worker is killed is made again at another; where none is left, it is a problem that says so.
    expect([...statuses.keys()].filter((status) => ![200, 502, 503, 504].includes(status))).toEqual([]);
    expect((statuses.get(200) ?? 0) / answers).toBeGreaterThan(0.9);
    expect((heaps.at(-1) ?? 0) - (heaps[0] ?? 0)).toBeLessThan(MOST_GROWTH);
  },
);
