import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createRunnerHandler, toNodeListener, type RunnerHandlerOptions } from '../../src/http/index.js';
import { PackageValidator, VenvManager } from '../../src/index.js';
import { openStation, type Station } from './station.js';

/** What a request is made of besides method and target; `json` is a body of that type. */
export type Asked = RequestInit & { json?: unknown; duplex?: 'half' };

/** A station behind the handler. */
export interface HttpRunner extends Station {
  handler: (request: Request) => Promise<Response>;
  ask: (method: string, target: string, init?: Asked) => Promise<Response>;
}

/** Header of a package as a raw body. */
export const ZIP = { 'content-type': 'application/zip' };

/** A station with every action allowed, unless the options say otherwise. */
export async function openHttpRunner(options: Partial<RunnerHandlerOptions> = {}): Promise<HttpRunner> {
  const station = await openStation();
  const { registry, deployer, supervisor } = station;
  const validator = new PackageValidator({ venvs: new VenvManager() });
  const handler = createRunnerHandler({
    ...{ registry, deployer, supervisor, validator, authorize: () => true },
    ...options,
  });
  const ask: HttpRunner['ask'] = (method, target, { json, ...init } = {}) => {
    const body = json === undefined ? {} : { body: JSON.stringify(json), headers: JSON_TYPE };
    return handler(new Request(`http://station${target}`, { method, ...body, ...init }));
  };
  return { ...station, handler, ask };
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** The same behind a server of Node's, on a port of this machine. */
export async function serveHttpRunner(
  options: Partial<RunnerHandlerOptions> = {},
): Promise<HttpRunner & { port: number; url: string }> {
  const runner = await openHttpRunner(options);
  const port = await listenWith(runner.handler);
  return { ...runner, port, url: `http://127.0.0.1:${port}` };
}

/** A server of Node's around a web-standard handler; gives its port. `leavesContinue`: the listener answers who asks before it sends. */
export async function listenWith(
  handler: (request: Request) => Promise<Response>,
  { leavesContinue = false } = {},
): Promise<number> {
  const listener = toNodeListener(handler);
  const server = http.createServer(listener);
  if (leavesContinue) server.on('checkContinue', listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** The events of a `text/event-stream` body, comments left out. */
export function eventsOf(text: string): { name: string; data: Record<string, unknown> }[] {
  return [...text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)].map(([, name = '', data = '']) => ({
    name,
    data: JSON.parse(data) as Record<string, unknown>,
  }));
}
