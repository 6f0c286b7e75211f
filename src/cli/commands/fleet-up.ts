import { readUsers } from '../fleet/users-file.js';
import type { Call } from '../spec.js';
import { untilInterrupted } from '../terminal/wait.js';

export async function run(call: Call): Promise<number | undefined> {
  const { options, out } = call;
  const {
    folder,
    host,
    port,
    users,
    server: binary,
  } = options as Record<string, string | undefined> & {
    folder: string;
    port?: number;
  };
  const { startFleetServer } = await import('procvision-runner/fleet');
  const server = await startFleetServer({
    folder: call.path(folder),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(users !== undefined && { users: await readUsers(call, users) }),
    ...(binary !== undefined && { binary: call.path(binary) }),
  });
  const { url, seeds, processId } = server;
  out.line({ event: 'ready', url, process_id: processId, seeds }, `${url} is ready, with bucket and stream`);
  for (const [name, file] of Object.entries(seeds)) out.say(`seed of ${name}: ${file}`);
  const end = new AbortController();
  const ended = server.ended.then((how) => {
    end.abort();
    return how;
  });
  await untilInterrupted({ signal: AbortSignal.any([call.signal, end.signal]), out }, 'Ctrl-C ends it');
  if (call.signal.aborted) {
    await server.stop();
    return undefined;
  }
  out.warn(`the server ended by itself (${await ended})`);
  return 1;
}
