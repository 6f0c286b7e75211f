import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serveHttpRunner } from '../support/http-runner.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { freePort } from '../../bench/peers/http.js';
import { CLIENTS, hasProgram } from './clients.js';

const hasNginx = await hasProgram('nginx');

/** A station whose version 1.0.0 serves A01, under a path, and the package of version 1.1.0. */
async function station() {
  const runner = await serveHttpRunner({ basePath: '/station' });
  await runner.deployer.install(await runner.deliver());
  await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await runner.supervisor.startActive();
  const file = await runner.deliver({ version: '1.1.0' });
  return { ...runner, file, base: `${runner.url}/station` };
}

/** nginx before it, with its own buffers and timeouts; gives the address. */
async function proxied(port: number): Promise<string> {
  const folder = await temporaryFolder();
  const own = await freePort();
  await mkdir(path.join(folder, 'temp'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path "${folder}/temp/${name}";`,
  );
  const config = `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid "${folder}/nginx.pid";
error_log stderr error;
events {}
http {
  access_log off;
  client_max_body_size 0;
  ${temporary.join('\n  ')}
  server {
    listen 127.0.0.1:${own};
    location /station/ {
      proxy_pass http://127.0.0.1:${port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
    }
  }
}
`;
  const file = path.join(folder, 'nginx.conf');
  await writeFile(file, config);
  const child = spawn('nginx', ['-p', folder, '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const url = `http://127.0.0.1:${own}/station`;
  await expect
    .poll(() =>
      fetch(`${url}/health/live`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
  return url;
}

const wanted = {
  upload: [201, 'sample'],
  inspection: [200, 'OK'],
  form: [200, 'NG'],
  event: 'A01',
};

describe.each(Object.entries(CLIENTS))('%s', (_name, client) => {
  const skipped = typeof client === 'string' ? ` (skipped: ${client})` : '';

  test.skipIf(skipped !== '')(`uploads, inspects and follows events${skipped}`, async () => {
    if (typeof client === 'string') return;
    const { base, file } = await station();
    expect(await client(base, file)).toEqual(wanted);
  });

  const without = hasNginx ? skipped : ' (skipped: nginx is not installed)';
  test.skipIf(without !== '')(`does the same through nginx${without}`, async () => {
    if (typeof client === 'string') return;
    const { port, file } = await station();
    expect(await client(await proxied(port), file)).toEqual(wanted);
  });
});
