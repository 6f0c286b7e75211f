import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Registry } from '../../src/index.js';
import { bundledScript } from '../support/bundled-script.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const SOON = { timeout: 60_000 };
const EXAMPLES = [
  ['platform-backend', 'examples/platform-backend/main.ts', /^Open http:/m],
  ['service', 'examples/service/host.ts', /^listening on /m],
] as const;

interface Example {
  child: ChildProcess;
  /** All that it wrote so far. */
  output: () => string;
  ended: Promise<unknown[]>;
}

async function start(file: string, ...args: string[]): Promise<Example> {
  const program = await bundledScript(repositoryFile(file));
  const child = spawn(process.execPath, [program, ...args], {
    cwd: repositoryFile('.'),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NOTIFY_SOCKET: undefined },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return { child, output: () => output, ended: once(child, 'close') };
}

async function store(): Promise<string> {
  const root = path.join(await temporaryFolder(), 'station');
  await (await Registry.open(root, { durability: 'none' })).close();
  return root;
}

test.skipIf(process.platform === 'win32').each(EXAMPLES)(
  '%s ends with code 0 at SIGTERM, and runs a second time on the same store',
  async (_name, file, isReady) => {
    const root = await store();
    for (let run = 1; run <= 2; run++) {
      const example = await start(file, '--root', root, '--port', '0');
      await vi.waitFor(() => {
        expect(example.output()).toMatch(isReady);
      }, SOON);
      example.child.kill('SIGTERM');
      expect([run, ...(await example.ended)]).toEqual([run, 0, null]);
    }
  },
  120_000,
);

test.each(EXAMPLES.flatMap(([name, file]) => ['80a', '', '-1', '65536'].map((port) => [name, port, file])))(
  '%s refuses --port "%s", and says what a port is',
  async (_name, port, file) => {
    const example = await start(file, '--root', await store(), `--port=${port}`);
    const [code] = await example.ended;
    expect(code).toBeGreaterThan(0);
    expect(example.output()).toContain(`--port is "${port}": give a number from 0 (any free port) to 65535`);
  },
  60_000,
);

test.each(EXAMPLES)(
  '%s ends with a code when its port is in use',
  async (_name, file) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const example = await start(file, '--root', await store(), '--port', String(port));
    const [code] = await example.ended;
    expect(code).toBe(1);
    expect(example.output()).toContain(`EADDRINUSE: address already in use 127.0.0.1:${port}`);
  },
  60_000,
);
