import { execFile, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../temp-folder.js';

const run = promisify(execFile);

/** Whether certificates can be made here. */
export const HAS_OPENSSL = spawnSync('openssl', ['version']).status === 0;

interface Pair {
  key: string;
  cert: string;
}

/** An authority of its own, a server for localhost (or for other names) and a client, as PEM and as files: `ca.pem`, `client.pem`, `client-key.pem`. */
export async function makeAuthority(
  names = 'DNS:localhost',
): Promise<{ folder: string; ca: string; server: Pair; client: Pair }> {
  const folder = await temporaryFolder();
  const openssl = (...words: string[]) => run('openssl', words, { cwd: folder });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    ...['req', '-x509', ...ec, '-keyout', 'ca-key.pem', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=plant'],
  );
  await writeFile(path.join(folder, 'server.ext'), `subjectAltName=${names}\n`);
  await writeFile(path.join(folder, 'client.ext'), 'extendedKeyUsage=clientAuth\n');
  const sign = async (name: string): Promise<Pair> => {
    await openssl('req', ...ec, '-keyout', `${name}-key.pem`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    await openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial'],
      ...['-out', `${name}.pem`, '-days', '2', '-extfile', `${name}.ext`],
    );
    const [key, cert] = await Promise.all(
      [`${name}-key.pem`, `${name}.pem`].map((file) => readFile(path.join(folder, file), 'utf8')),
    );
    return { key: key ?? '', cert: cert ?? '' };
  };
  const server = await sign('server');
  const client = await sign('client');
  return { folder, ca: await readFile(path.join(folder, 'ca.pem'), 'utf8'), server, client };
}
