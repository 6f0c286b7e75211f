/** The build's handler behind a server of Node, and what asks it. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import type * as Http from '../../src/http/index.js';
import type { BenchContext } from '../harness/case.js';
import { HttpClient } from '../peers/http.js';

export async function listenHttp(
  { library }: BenchContext,
  parts: Pick<Http.RunnerHandlerOptions, 'registry' | 'deployer' | 'supervisor'>,
): Promise<{ client: HttpClient; close: () => void }> {
  const entry = pathToFileURL(library.file('http/index.js')).href;
  const { createRunnerHandler, toNodeListener } = (await import(entry)) as typeof Http;
  const handler = createRunnerHandler({ ...parts, allowUnauthenticated: true });
  const server = http.createServer(toNodeListener(handler));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new HttpClient((server.address() as AddressInfo).port);
  const close = () => {
    client.close();
    server.closeAllConnections();
    server.close();
  };
  return { client, close };
}
