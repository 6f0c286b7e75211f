import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { createRunnerHandler } from '../../src/http/index.js';
import { cliFolder } from '../support/cli.js';
import { listenWith, serveHttpRunner } from '../support/http-runner.js';

const image = { data: new Uint8Array(3), width: 1, height: 1 };

/** A station behind HTTP that serves A01 by 1.0.0 and has 2.0.0 installed, and command lines on its store. */
async function served(authorize?: Parameters<typeof createRunnerHandler>[0]['authorize']) {
  const runner = await serveHttpRunner(authorize && { authorize });
  const { deployer, deliver, registry, root } = runner;
  await deployer.install(await deliver());
  await deployer.install(await deliver({ version: '2.0.0' }));
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const cli = await cliFolder();
  return {
    ...{ ...runner, cli },
    run: (...flags: string[]) => cli.run('switch', 'sample', '2.0.0', 'A01', '--root', root, ...flags),
  };
}

test('switch --through has a running host make the switch, and its sequential test decides the trial after as few calls as suffice', async () => {
  const { run, url, supervisor, registry } = await served();
  const outcome = await run('--through', url, '--test', '--rejectable', '0.9', '--operator', 'anna');
  expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining('on trial') as string });
  expect(await registry.active()).toMatchObject({ A01: { version: '2.0.0' } });
  const decided = Promise.race(
    (['accepted', 'switchedBack'] as const).map(async (name) => {
      await once(supervisor as never, name);
      return name;
    }),
  );
  // A fixed trial would take 200: two calls without a failure show that their share is not 0.9.
  for (let call = 0; call < 2; call++) await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
  expect(await decided).toBe('accepted');
});

test('switch --share gives the version its share of the calls through a running host, and says so', async () => {
  const { run, url, supervisor, registry } = await served();
  const outcome = await run('--through', url, '--share', '0.25', '--steps', '0.5,0.75', '--calls', '50');
  expect(outcome).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('has 25 % of the calls of A01') as string,
  });
  expect(await registry.active()).toMatchObject({ A01: { version: '1.0.0' } });
  const { canary } = supervisor.status().find(({ version }) => version === '2.0.0') ?? {};
  expect(canary).toMatchObject([{ productIds: ['A01'], share: 0.25, steps: [0.5, 0.75] }]);
  const status = (await (await fetch(`${url}/status`)).json()) as { version: string; canary: unknown[] }[];
  expect(status.find(({ version }) => version === '2.0.0')?.canary).toMatchObject([{ share: 0.25 }]);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(
    'procvision_canary_ratio{package="sample",version="2.0.0",product_id="A01"} 0.25',
  );
});

test('status --through shows what is on trial at a running host: a share of the calls, then the trial of the mapped version', async () => {
  const { run, url, supervisor, cli, root } = await served();
  const status = (...flags: string[]) => cli.run('status', '--root', root, '--through', url, ...flags);
  expect(await run('--through', url, '--share', '0.25', '--steps', '0.5', '--calls', '50')).toMatchObject({
    code: 0,
  });
  const versions: string[] = [];
  for (let call = 0; call < 4; call++)
    versions.push((await supervisor.execute({ productId: 'A01', stepIndex: 1, image })).version);
  // Two of four at the begin of the spread, although the mapped version is started by the first call that it gets.
  expect(versions).toEqual(['2.0.0', '1.0.0', '2.0.0', '1.0.0']);
  const calls = 2;
  const { stdout } = await status();
  expect(stdout).toMatch(/on trial.*calls on trial/);
  expect(stdout).toMatch(new RegExp(`2\\.0\\.0.*25 % of A01, then 50 %, all +${calls}, 0 failed`));
  expect((await status('--json')).json()).toMatchObject([
    { version: '1.0.0', canary: [] },
    { version: '2.0.0', canary: [{ productIds: ['A01'], share: 0.25, steps: [0.5], calls, failures: 0 }] },
  ]);
  expect(await run('--through', url, '--trial')).toMatchObject({ code: 0 });
  expect((await status()).stdout).toMatch(/2\.0\.0.*A01, else back to 1\.0\.0/);
  expect((await cli.run('status', '--root', root)).stdout).not.toContain('on trial');
});

test('a host of another kind is named as such, and a token without a host is an error of usage', async () => {
  const { run, cli, root } = await served();
  const port = await listenWith(() =>
    Promise.resolve(new Response('<html>', { headers: { 'content-type': 'text/html' } })),
  );
  const elsewhere = await listenWith(() =>
    Promise.resolve(new Response(null, { status: 302, headers: { location: 'http://127.0.0.1:9/' } })),
  );
  for (const [at, words] of [
    [port, 'is no serve of procvision-runner: 200'],
    [elsewhere, 'is no serve of procvision-runner: 302 Found to http://127.0.0.1:9/'],
  ] as const) {
    const url = `http://127.0.0.1:${at}`;
    const outcomes = [
      await run('--through', url),
      await cli.run('status', '--root', root, '--through', url),
      await cli.run('outbox', 'status', '--url', url),
    ];
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ code: 1, stderr: expect.stringContaining(words) as string });
    }
  }
  expect(await cli.run('status', '--root', root, '--token-file', 'x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--through') as string,
  });
  expect(await cli.run('outbox', 'status', '--url', 'localhost:8080')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--url takes the address') as string,
  });
});

test('what the host answers is what the command line says: rates that are not apart, a token that is missing, nobody there', async () => {
  const token = 'a'.repeat(40);
  const { run, url, cli } = await served((request) =>
    request.headers.get('authorization') === `Bearer ${token}` ? true : { allowed: false, status: 401 },
  );
  expect(await run('--through', url)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/refused the switch \(unauthorized\)/) as string,
  });
  await writeFile(path.join(cli.folder, 'token'), token);
  const withToken = ['--through', url, '--token-file', 'token'];
  expect(await run(...withToken, '--acceptable', '0.5', '--rejectable', '0.2')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('must be above acceptableRate') as string,
  });
  expect(await run(...withToken, '--trial')).toMatchObject({ code: 0 });
  expect(await run('--through', 'http://127.0.0.1:9')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('No serve answers at http://127.0.0.1:9') as string,
  });
});

test.each([
  ['a trial without a host', ['--test'], 'A trial needs a host'],
  ['a share without a host', ['--share', '0.1'], 'A trial needs a host'],
  ['steps without a share', ['--steps', '0.5', '--through', 'http://x'], '--steps follow a first share'],
  ['steps that fall', ['--share', '0.1', '--steps', '0.5,0.2'], '--steps takes shares that rise'],
  [
    'a number of calls beside a sequential test',
    ['--through', 'http://x', '--test', '--calls', '5'],
    '--calls has no effect',
  ],
  ['an address that is none', ['--through', 'localhost:8080'], '--through takes the address'],
])('%s is an error of usage', async (_title, flags, message) => {
  const { run } = await cliFolder();
  expect(await run('switch', 'sample', '2.0.0', ...flags)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(message) as string,
  });
});
