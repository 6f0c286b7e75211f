import path from 'node:path';
import { readUsers } from '../fleet/users-file.js';
import type { Call } from '../spec.js';

export async function run(call: Call): Promise<undefined> {
  const { words, options, out, host } = call;
  const users = await readUsers(call, words[0] ?? '');
  const { writeFleetUsers } = await import('procvision-runner/fleet');
  const written = await writeFleetUsers(call.path(options.folder as string), users);
  out.result(written, () => {
    const at = (file: string) => path.relative(host.cwd, file);
    const seeds = Object.entries(written.seeds).map(
      ([name, file]) => `${at(file)}  ${written.made.includes(name) ? 'new seed' : 'seed'} of ${name}`,
    );
    return [`${at(written.configuration)}  include it in nats-server.conf`, ...seeds].join('\n');
  });
  return undefined;
}
