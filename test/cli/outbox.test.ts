import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Outbox } from '../../src/outbox/index.js';
import { resultOf } from '../outbox/support.js';
import { cliFolder } from '../support/cli.js';
import { Platform } from '../support/outbox/platform.js';

/** A station that serves an outbox on a port of its own, until the test ends; records of `before` wait in it. */
async function served(before: number) {
  const platform = await Platform.start();
  const cli = await cliFolder();
  const outbox = await Outbox.open(path.join(cli.folder, 'kept'), { station: 'ws-1' });
  for (let one = 0; one < before; one++)
    await outbox.record(resultOf('NG'), { productId: 'A01', stepIndex: 1 });
  await outbox.close();
  const write = (http: object) =>
    writeFile(
      path.join(cli.folder, 'outbox.json'),
      JSON.stringify({ folder: 'kept', station: 'ws-1', delivery: { http, mostBackoffMs: 1_000 } }),
    );
  await write({ url: platform.url });
  const controller = new AbortController();
  let said = '';
  const start = () => {
    const ended = cli.runWith(
      { interrupted: controller.signal, onOutput: (text) => (said += text) },
      ...['serve', '--port', '0', '--outbox', 'outbox.json', '--json'],
    );
    onTestFinished(async () => {
      controller.abort();
      await ended;
      await platform.close();
    });
  };
  const url = async () => {
    await expect.poll(() => said, { timeout: 20_000 }).toContain('"listening"');
    return /"url":\s?"([^"]+)"/.exec(said)?.[1] ?? '';
  };
  return { cli, platform, write, start, url, said: () => said };
}

test('serve delivers what the file says; status, pause, resume, retry and export ask the station', async () => {
  const { cli, platform, start, url } = await served(3);
  start();
  const at = ['--url', await url()];
  await expect.poll(() => platform.records.size).toBe(3);
  const status = await cli.run('outbox', 'status', '--json', ...at);
  expect(status).toMatchObject({ code: 0 });
  expect(status.json()).toMatchObject({ outbox: { delivered: 3 }, delivery: { network: 'up' } });
  expect((await cli.run('outbox', 'pause', '--json', ...at)).json()).toMatchObject({
    delivery: { state: 'paused' },
  });
  expect((await cli.run('outbox', 'resume', ...at)).stderr).toContain('running, up');
  expect((await cli.run('outbox', 'retry', '--aside', ...at)).code).toBe(0);
  const copied = await cli.run('outbox', 'export', 'stick', '--json', ...at);
  expect(copied.json()).toMatchObject({ records: 0, folder: path.join(cli.folder, 'stick') });
});

test('other settings in the file are in force while it serves; those that cannot be change nothing', async () => {
  const { cli, platform, write, start, url, said } = await served(2);
  await write({ url: 'http://127.0.0.1:9' });
  start();
  await url();
  await write({ url: 'http://plain.example' });
  await expect.poll(said, { timeout: 10_000 }).toContain('must begin with https:');
  await write({ url: platform.url });
  await expect.poll(() => platform.records.size, { timeout: 10_000 }).toBe(2);
  // What is read at the start alone is not passed over in silence.
  await writeFile(path.join(cli.folder, 'outbox.json'), file({ maxBytes: 2 ** 30 }));
  await expect.poll(said, { timeout: 10_000 }).toContain('start it again');
});

test('export works on the folder itself where no station has it open', async () => {
  const { cli, platform } = await served(2);
  onTestFinished(() => platform.close());
  const copied = await cli.run('outbox', 'export', 'stick', '--outbox', 'outbox.json', '--json');
  expect(copied.json()).toMatchObject({ records: 2 });
  expect(platform.requests).toEqual([]);
});

/** A description that is whole, and more. */
function file(more: object): string {
  return JSON.stringify({ folder: 'kept', station: 'ws-1', delivery: { folder: 'to' }, ...more });
}

test('a rule for pictures in the file that is unknown is refused by its name', async () => {
  const cli = await cliFolder();
  await writeFile(path.join(cli.folder, 'outbox.json'), file({ pictures: { thumbnale: 3 } }));
  const serve = ['serve', '--outbox', 'outbox.json', '--port', '0'] as const;
  const refused = await cli.run(...serve);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('there is no option pictures.thumbnale. Did you mean thumbnail?');
});

test.each([
  ['{', /must be JSON/],
  ['{}', /must have folder/],
  ['{"folder": "kept"}', /must have station/],
  ['{"folder": "kept", "station": "ws-1"}', /must have delivery/],
  ['{"folder": "kept", "station": "ws-1", "delivery": {}}', /must have delivery/],
  ['{"folder": "kept", "station": "ws-1", "delivery": ["http"]}', /must have delivery/],
  [file({ picturs: {} }), /has picturs, which is no setting\. Did you mean pictures\? Known are folder/],
  [file({ now: 1 }), /has now, which is no setting/],
])('a description %s is refused with what is missing', async (text, message) => {
  const cli = await cliFolder();
  await writeFile(path.join(cli.folder, 'outbox.json'), text);
  const { code, stderr } = await cli.run('serve', '--outbox', 'outbox.json', '--port', '0');
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test('where no station answers, the command says how to start one', async () => {
  const cli = await cliFolder();
  const { code, stderr } = await cli.run('outbox', 'status', '--url', 'http://127.0.0.1:9');
  expect(code).toBe(1);
  expect(stderr).toContain('serve --outbox FILE');
});
