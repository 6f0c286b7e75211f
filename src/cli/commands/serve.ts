import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Runner } from 'procvision-runner';
import type { DescribedFleet } from '../fleet/connect.js';
import { joinFleet, stationFleet } from '../fleet/member.js';
import { openPlant, type ShownPlant } from '../fleet/plant.js';
import { CliFailure, EXIT, usage } from '../host.js';
import { DescribedOutbox } from '../outbox/settings.js';
import { closable, type ClosableDoor } from '../serve/closable.js';
import { ServiceNotifier } from '../serve/notify.js';
import { isLoopback, isOfThisMachine, readToken, requireToken } from '../serve/token.js';
import type { Call } from '../spec.js';
import { findFile, withRunner } from '../store.js';
import { supervisorOptions } from '../supervisor-options.js';
import { formatTime } from '../terminal/progress.js';
import { untilInterrupted } from '../terminal/wait.js';

/** Uploads of gigabytes take longer than Node's five minutes. */
const LONGEST_REQUEST_MS = 3_600_000;
/** At its end: how often calls under way are looked at, and how long what else is under way has after the last of them. */
const LOOK_MS = 50;
const REST_MS = 5_000;

export async function run(call: Call): Promise<number> {
  const { options } = call;
  const { port, host, tokenFile } = options as { port: number; host: string; tokenFile?: string };
  if (tokenFile === undefined && !isLoopback(host)) {
    throw usage(`serve --host ${host} would let everybody in: give --token-file FILE, or leave out --host`);
  }
  const token =
    tokenFile === undefined ? undefined : await readToken(await findFile(call, tokenFile, 'token file'));
  // A station that is up before its files are read would go down again with them.
  const fleet = options.fleet === undefined ? undefined : await stationFleet(call, options.fleet as string);
  const described = options.outbox as string | undefined;
  const kept = described === undefined ? undefined : await DescribedOutbox.open(call, described);
  let plant: ShownPlant | undefined;
  try {
    if (options.plant !== undefined) plant = await openPlant(call, options.plant as string);
    return await withRunner(
      call,
      (runner) => serve(call, runner, { port, host, token, fleet, kept, plant }),
      {
        make: true,
        supervisor: supervisorOptions(options),
        ...(kept && { outbox: kept.outbox }),
      },
    );
  } finally {
    await plant?.close();
    await kept?.close();
  }
}

/** What is served, and where. */
interface ServeOptions {
  port: number;
  host: string;
  token: string | undefined;
  fleet: DescribedFleet | undefined;
  kept: DescribedOutbox | undefined;
  plant: ShownPlant | undefined;
}

async function serve(
  call: Call,
  runner: Runner,
  { port, host, token, fleet, kept, plant }: ServeOptions,
): Promise<number> {
  const { out, options, operator, signal } = call;
  const { registry, deployer, validator, supervisor, venvs, frames } = runner;
  const { createRunnerHandler, toNodeListener } = await import('procvision-runner/http');
  const guard = token === undefined ? undefined : requireToken(token);
  const handle = createRunnerHandler({
    ...{ registry, deployer, validator, supervisor, venvs, frames, page: true },
    content: options.source === true,
    ...(kept && { delivery: kept.delivery }),
    ...(plant && { fleet: plant.operator }),
    authorize: guard?.authorize ?? isOfThisMachine,
    onError: (error, request) => {
      out.say(
        `${new Date().toISOString()} ${request.method} ${new URL(request.url).pathname}: ${(error as Error).message}`,
      );
    },
  });
  kept?.follow((fault) => {
    out.say(
      `${new Date().toISOString()} outbox: ${fault ? fault.message : 'delivered by other settings now'}`,
    );
  });
  const door = closable(guard?.around(handle) ?? handle);
  const listener = toNodeListener(door.handle);
  const server = createServer({ requestTimeout: LONGEST_REQUEST_MS }, listener);
  server.on('checkContinue', listener); // who may not send a package is refused before its gigabytes
  const address = await listen(server, port, host);
  const url = `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  let notifier: ServiceNotifier | undefined;
  let leave: (() => Promise<void>) | undefined;
  try {
    notifier = await notifierOf(call, runner);
    if (options.watch === true) deployer.watch({ install: true, operator });
    tell(call, runner);
    out.line(
      { event: 'listening', url, root: registry.layout.root },
      `Listening on ${url}, store ${registry.layout.root}`,
    );
    notifier.tell(`STATUS=Starting what is active, listening on ${url}`);
    const report = await runner.startActive({ atOnce: options.atOnce as number, signal });
    const { started, failed, durationMs } = report;
    const count = started.length + failed.length;
    const summary =
      count === 0
        ? `No version is active yet: open ${url} in a browser to install one`
        : `${started.length} of ${count} active versions started in ${formatTime(durationMs)}`;
    for (const { name, version, error } of failed)
      out.warn(`${name} ${version} did not start: ${error.message}`);
    if (fleet) leave = await joinFleet(call, runner, fleet);
    out.line({ event: 'ready', ...report }, summary);
    notifier.tell('READY=1', `STATUS=${summary}, listening on ${url}`);
    await untilInterrupted(call);
    out.say('Ending');
    notifier.tell('STOPPING=1');
    return EXIT.done;
  } finally {
    await leave?.();
    await end(server, door, supervisor);
    await notifier?.close();
  }
}

async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'EADDRINUSE'
        ? 'another process listens there: give another --port, or 0 for a free one'
        : message;
    throw new CliFailure(`${host} port ${port} cannot be listened on: ${why}`, EXIT.failed);
  }
  return server.address() as AddressInfo;
}

/**
 * Calls that are under way are answered first, however long their own limits let them take; what else is under way has some seconds.
 * Connections that wait for the next request are closed, and a next request on a busy connection is refused.
 */
async function end(server: Server, door: ClosableDoor, supervisor: Runner['supervisor']): Promise<void> {
  const closed = once(server, 'close');
  door.close();
  server.close();
  server.closeIdleConnections();
  const ended = { isClosed: false };
  void closed.then(() => (ended.isClosed = true));
  const isBusy = () => supervisor.status().some(({ inFlight, queued }) => inFlight + queued > 0);
  for (let busyAt = performance.now(); !ended.isClosed && performance.now() < busyAt + REST_MS;) {
    if (isBusy()) busyAt = performance.now();
    await Promise.race([closed, delay(LOOK_MS)]);
  }
  server.closeAllConnections();
  await closed;
}

async function notifierOf({ host, signal }: Call, { venvs }: Runner): Promise<ServiceNotifier> {
  if (host.env.NOTIFY_SOCKET === undefined) return new ServiceNotifier({}, undefined);
  const [interpreter] = await venvs.interpreters({ signal });
  return new ServiceNotifier(host.env, interpreter?.path);
}

/** What a person at a terminal, or a journal, wants to know. */
function tell({ out }: Call, { supervisor, deployer }: Runner): void {
  const say = (title: string, about: { name?: string; version?: string }, message: string) => {
    out.say(`${new Date().toISOString()} ${title} ${about.name ?? '?'} ${about.version ?? '?'}: ${message}`);
  };
  supervisor.on('exit', (event) => {
    if (event.error) say('exit', event, event.error.message);
  });
  supervisor.on('circuitOpen', (event) => {
    say('circuit open', event, event.error.message);
  });
  supervisor.on('switched', (event) => {
    say('switched', event, `serves ${event.productIds.join(', ')}`);
  });
  deployer.on('installed', ({ entry }) => {
    say('installed', entry, entry.operator ?? '');
  });
  deployer.on('invalid', (event) => {
    say('refused', event, event.error.message);
  });
}
