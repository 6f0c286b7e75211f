import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { ownerLiveness, readJournal } from '../../../deploy/transaction/journal.js';
import { lockedVersions } from '../../../deploy/transaction/version-lock.js';
import { livenessOf } from '../../../process/identity.js';
import { deadMarks } from '../../../registry/uses.js';
import { ageOf, isProbeName } from '../../../store/file-age.js';
import type { StoreLayout } from '../../../store/layout.js';
import { hasLockFiles, lockHolder } from '../../../store/lock.js';
import { describeOwner } from '../../../store/lock-owner.js';
import { namesIn } from '../../../store/names-in.js';
import { finding, type Finding } from '../finding.js';
import type { Examination } from './context.js';
import { leftWorkers } from './left-workers.js';
import { repaired } from './repair.js';

/** An install of the largest packages takes some minutes. */
const LONG_MS = 15 * 60_000;
/** Between the creation of an owner file and its being written, where that is two steps. */
const UNWRITTEN_MS = 2_000;

/** What processes left that are dead: locks, operations cut off, marks of use, workers. */
export async function examineLeftovers({ layout, surroundings }: Examination): Promise<Finding[]> {
  return [
    ...(await examineLocks(layout, surroundings.now())),
    ...(await examineOperations(layout)),
    ...(await examineUses(layout)),
    ...(await leftWorkers(layout, surroundings)),
  ];
}

async function examineLocks(layout: StoreLayout, now: number): Promise<Finding[]> {
  const { locked } = await lockedVersions(layout);
  const files = [
    layout.lock,
    ...locked.map(({ name, version }) => path.join(layout.deployedRoot, name, `${version}.lock`)),
  ];
  const found: Finding[] = [];
  for (const file of files) {
    if (!(await hasLockFiles(file))) continue;
    const owner = await lockHolder(file);
    const about = { path: file };
    if (!owner) {
      if (!(await isOwnerless(file))) continue;
      const what = `${file} does not say whose lock it is`;
      const why = 'Its holder was killed while it took or gave it back';
      found.push(finding('lock.left', { what, why, ...about, fix: repaired(layout) }));
      continue;
    }
    const liveness = await livenessOf(owner, path.dirname(file));
    const who = describeOwner(owner);
    if (liveness === 'dead') {
      const what = `${file} is left of ${who}`;
      found.push(
        finding('lock.left', { what, why: 'That process is dead', ...about, fix: repaired(layout) }),
      );
    } else if (liveness === 'unknown') {
      const what = `${file} is held by ${who}`;
      found.push(
        finding('lock.unseen', { what, why: 'It runs on another machine or in another container', ...about }),
      );
    } else if (now - Date.parse(owner.acquiredAt) > LONG_MS) {
      const what = `${file} is held by ${who}`;
      const remedy = `Wait for it to end; if it hangs, end that process: kill ${owner.pid}`;
      found.push(finding('lock.held', { what, why: 'It lives, and may hang', remedy, ...about }));
    }
  }
  return found;
}

/**
 * Whether a lock file, or an owner file without a whole record, stays without an owner. A lock file is made after the owner file
 * and removed before it: a holder that lives leaves neither alone, but for a moment.
 */
async function isOwnerless(file: string): Promise<boolean> {
  for (const one of [file, `${file}.owner`]) {
    const before = await lstat(one).catch(() => undefined);
    if (!before || (await lockHolder(file))) continue;
    const after = await lstat(one).catch(() => undefined);
    const isSettled = one === file || ((await ageOf(one, 'ctimeMs')) ?? Infinity) > UNWRITTEN_MS;
    if (after?.ino === before.ino && isSettled) return true;
  }
  return false;
}

async function examineOperations(layout: StoreLayout): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const name of await namesIn(layout.staging)) {
    const folder = path.join(layout.staging, name);
    if (isProbeName(name) || (await ownerLiveness(folder)) !== 'dead') continue;
    const record = await readJournal(folder);
    const { operation = 'operation', name: ofName = '?', version = '' } = record ?? {};
    const what = `The ${operation} of ${ofName} ${version} was cut off`.replace(' of ? ', ' ');
    found.push(
      finding('operation.left', {
        ...{ what, why: 'Its process was killed, or the power was cut', path: folder, fix: repaired(layout) },
        ...(record?.name !== undefined && { name: record.name }),
        ...(record?.version !== undefined && { version: record.version }),
      }),
    );
  }
  return found;
}

async function examineUses(layout: StoreLayout): Promise<Finding[]> {
  return (await deadMarks(layout)).map(({ name, version, file, user }) =>
    finding('use.left', {
      what: `Process ${user.pid} on ${user.host} used ${name} ${version}`,
      why: 'It is dead, and could not take its mark back',
      ...{ name, version, path: file, fix: repaired(layout) },
    }),
  );
}
