import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { NatsStream } from '../../../src/outbox/delivery/targets/nats-stream.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { HAS_OPENSSL, makeAuthority } from '../../support/outbox/certificates.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const isPossible = (await natsServer()) !== undefined && HAS_OPENSSL;
const title = 'a line to the server of the fleet';

/** A token as nats-server reads it: JSON signed with Ed25519 by a key of NATS (github.com/nats-io/jwt, version 2). */
function token(claims: Record<string, unknown>, subject: string, signer: nkeys.KeyPair): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = { jti: '', iat: 1_700_000_000, iss: signer.getPublicKey(), name: 'plant', sub: subject };
  const jti = createHash('sha256').update(JSON.stringify(claims)).digest('hex');
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ ...body, jti, nats: { version: 2, ...claims } })}`;
  return `${signed}.${Buffer.from(signer.sign(Buffer.from(signed))).toString('base64url')}`;
}

/** A server that knows its users by tokens alone, and the file that one of them has. */
async function byTokens() {
  const [operator, account, system] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
  const user = nkeys.createUser();
  const all = -1;
  const limits = {
    ...{
      subs: all,
      data: all,
      payload: all,
      imports: all,
      exports: all,
      wildcards: true,
      conn: all,
      leaf: all,
    },
    ...{ mem_storage: all, disk_storage: all, streams: all, consumer: all },
  };
  const {
    mem_storage: _memory,
    disk_storage: _disk,
    streams: _streams,
    consumer: _consumer,
    ...plain
  } = limits;
  const names = [account, system].map((one) => one.getPublicKey());
  const [main = '', sys = ''] = names;
  const conf = [
    `operator: "${token({ type: 'operator', system_account: sys }, operator.getPublicKey(), operator)}"`,
    `system_account: ${sys}`,
    'resolver: MEMORY',
    'resolver_preload: {',
    `${main}: "${token({ type: 'account', limits }, main, operator)}"`,
    `${sys}: "${token({ type: 'account', limits: plain }, sys, operator)}"`,
    '}',
  ];
  const file = path.join(await temporaryFolder(), 'station.creds');
  const sheet = (by: nkeys.KeyPair) => {
    const its = token(
      { type: 'user', pub: {}, sub: {}, subs: all, data: all, payload: all },
      user.getPublicKey(),
      by,
    );
    const seed = Buffer.from(user.getSeed()).toString();
    return `-----BEGIN NATS USER JWT-----\n${its}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  };
  await writeFile(file, sheet(account));
  return { conf: conf.join('\n'), file, stranger: sheet(nkeys.createAccount()) };
}

describe.skipIf(!isPossible)(isPossible ? title : `${title} (skipped: ${NO_SERVER}, or openssl)`, () => {
  async function overTls(names?: string) {
    const { folder } = await makeAuthority(names);
    const at = (name: string) => path.join(folder, name);
    const files = `cert_file: "${at('server.pem')}", key_file: "${at('server-key.pem')}", ca_file: "${at('ca.pem')}"`;
    const server = await TestServer.start(`tls { ${files}, verify: true }`);
    const servers = [`tls://localhost:${server.port}`];
    const tls = { caFile: at('ca.pem'), certFile: at('client.pem'), keyFile: at('client-key.pem') };
    return { server, servers, tls };
  }

  const refused = (code: string, message: RegExp) => ({
    code,
    message: expect.stringMatching(message) as string,
  });

  test('over TLS with a client certificate values are written and read, also after the server was away', async () => {
    const { server, servers, tls } = await overTls();
    const connection = await server.connect({ servers, tls });
    await connection.create();
    await connection.values.put('desired.A', 1);
    await server.stop();
    await server.restart();
    await vi.waitFor(async () => {
      expect((await connection.values.get('desired.A'))?.value).toBe(1);
    }, 15_000);
  });

  test('a server whose authority is not known is refused, and the remedy named', async () => {
    const { server, servers, tls } = await overTls();
    const { caFile: _, ...others } = tls;
    await expect(server.connect({ servers, tls: others, waitMs: 2_000 })).rejects.toMatchObject(
      refused('unreachable', /certificate is not taken .*tls\.caFile/),
    );
  });

  test('a client without the certificate that the server asks for is told to look at it, waited for or not', async () => {
    const { server, servers, tls } = await overTls();
    const given = { servers, tls: { caFile: tls.caFile } };
    const hint = refused('unreachable', /No server .* answered .*tls\.certFile and tls\.keyFile/);
    await expect(server.connect({ ...given, waitMs: 1_500 })).rejects.toMatchObject(hint);
    const patient = await server.connect({ ...given, waitMs: 0, timeoutMs: 500 });
    await vi.waitFor(() => {
      expect(patient.failure).toMatchObject(hint);
    });
  });

  test('an address by number takes the certificate of that address, and not one of localhost', async () => {
    const right = await overTls('IP:127.0.0.1');
    const [servers, tls] = [[`tls://127.0.0.1:${right.server.port}`], right.tls];
    const connection = await right.server.connect({ servers, tls });
    expect(connection.isConnected).toBe(true);
    const other = await overTls();
    const wrong = [`tls://127.0.0.1:${other.server.port}`];
    await expect(
      other.server.connect({ servers: wrong, tls: other.tls, waitMs: 2_000 }),
    ).rejects.toMatchObject(refused('unreachable', /a name or an address that its certificate has/));
  });

  test('tls:// goes to no server without TLS, with or without further options, of the fleet and of the outbox', async () => {
    const server = await TestServer.start();
    const servers = [`tls://127.0.0.1:${server.port}`];
    await expect(server.connect({ servers, waitMs: 2_000 })).rejects.toMatchObject(
      refused('unreachable', /does not support 'tls'/),
    );
    const target = new NatsStream({ servers, subject: 'uplink' });
    onTestFinished(() => target.close());
    const record = { ingestId: 'ws/1/1/1', json: Buffer.from('{}') };
    const pace = () => Promise.resolve();
    const outcome = await target.sendRecords([record], { signal: AbortSignal.timeout(5_000), pace });
    expect(outcome).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/does not support 'tls'/) as string,
    });
  });

  test('by a file of credentials a user of tokens writes and reads, and one of another account is denied', async () => {
    const { conf, file, stranger } = await byTokens();
    const server = await TestServer.start(conf);
    const connection = await server.connect({ credsFile: file });
    await connection.create();
    await connection.values.put('desired.A', 1);
    expect((await connection.values.get('desired.A'))?.value).toBe(1);
    await writeFile(file, stranger);
    await expect(server.connect({ credsFile: file })).rejects.toMatchObject({ code: 'denied' });
  });
});
