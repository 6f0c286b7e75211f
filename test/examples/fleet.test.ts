import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { natsServer, NO_SERVER } from '../support/nats-server.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const BINARY = process.platform === 'win32' ? undefined : await natsServer();

async function run(args: string[]): Promise<{ code: number | null; output: string }> {
  const main = repositoryFile('examples/fleet/main.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    cwd: repositoryFile('.'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

test.skipIf(BINARY === undefined)(
  `the example of a fleet brings three stations forward and back, over the death of one and of the server (else: ${NO_SERVER})`,
  { timeout: 300_000 },
  async () => {
    const folder = path.join(await temporaryFolder(), 'fleet');
    const { code, output } = await run(['--nats-server', BINARY ?? '', '--folder', folder]);
    expect(code, output).toBe(0);
    const said = output.split('\n').map((line) => line.replace(/^[\d.]+ s {2}/, ''));
    expect(said, output).toEqual(
      expect.arrayContaining([
        'All stations serve board-check@1.0.0; their verdicts: OK, OK, OK',
        'The station south was killed',
        'The server was killed; stations without a line serve on: OK, OK',
        'All stations serve board-check@2.0.0; their verdicts: OK, OK, OK',
        expect.stringMatching(/^The version was barred, and all stations went back in \d+ ms$/),
      ]),
    );
    expect(said.filter((line) => line.startsWith('All stations serve board-check@1.0.0'))).toHaveLength(2);
  },
);

test('the example of a fleet without a server says what is missing, and leaves nothing', async () => {
  const { code, output } = await run(['--nats-server', '/nowhere/nats-server']);
  expect(code).toBe(1);
  expect(output).toContain('/nowhere/nats-server cannot be started');
}, 60_000);
