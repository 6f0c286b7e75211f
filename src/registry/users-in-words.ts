import type { VersionRef } from '../package/types.js';
import type { ProcessIdentity } from '../process/identity.js';

/** Who uses a version, and what is to be done about it: a person does not know the number of the process that asks. */
export function inWords(
  users: readonly Pick<ProcessIdentity, 'host' | 'pid'>[],
  { name, version }: VersionRef,
): { who: string; remedy: string } {
  const isOwn = users.some(({ pid }) => pid === process.pid);
  const who = users.map(({ pid, host }) =>
    pid === process.pid ? `this process (${pid})` : `process ${pid} on ${host}`,
  );
  const remedy = isOwn
    ? `stop it first, with stop('${name}', '${version}') of the supervisor that runs it`
    : 'stop it there first';
  return { who: who.join(', '), remedy };
}
