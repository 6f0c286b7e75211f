import { open } from 'node:fs/promises';
import path from 'node:path';
import { readPublicKey } from '../../../package/keys.js';
import { isKeySetFault } from '../../../package/key-set/fault.js';
import { checkStationKeySet } from '../../../package/key-set/station.js';
import type { StoreLayout } from '../../../store/layout.js';
import { namesIn } from '../../../store/names-in.js';
import { finding, type Finding } from '../finding.js';
import type { Examination } from './context.js';
import { closeToOthers, writableByOthers } from './modes.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Holders meet for a renewal, mostly. */
const SOON_DAYS = 30;

/** Keys that packages are checked by, and keys that should not be here. */
export async function examineKeys({ layout, integrity, surroundings }: Examination): Promise<Finding[]> {
  const found = await privateKeys(layout);
  if (!integrity || integrity.mode === 'off') return found;
  const { publicKeys, keySet, mode } = integrity;
  for (const [index, key] of (publicKeys ?? []).entries()) {
    try {
      readPublicKey(key);
    } catch (error) {
      const what = `integrity.publicKeys.${index} is no key that a package can be checked by`;
      found.push(finding('keys.invalid', { what, why: (error as Error).message }));
    }
  }
  if (mode === 'strict' && publicKeys?.length === 0) {
    const what = 'integrity.publicKeys is empty';
    found.push(finding('keys.none', { what, why: 'No signature can be made by one of no keys' }));
  }
  if (!keySet) return found;
  const open = await writableByOthers([keySet.root, path.dirname(path.resolve(keySet.root))]);
  if (open.length > 0) {
    const what = `Every user of this machine may write to ${open.join(' and ')}`;
    const why = 'It decides which keys are trusted: another root makes any package a signed one';
    found.push(
      finding('keys.writable-by-others', { what, why, path: open[0], fix: () => closeToOthers(open) }),
    );
  }
  try {
    const { expires, rootExpires } = await checkStationKeySet(keySet, new Date(surroundings.now()));
    const first = expires < rootExpires ? expires : rootExpires;
    const days = (Date.parse(first) - surroundings.now()) / DAY_MS;
    if (days < SOON_DAYS) {
      const what = `The key set ${keySet.file} expires in ${Math.floor(days)} days, at ${first}`;
      found.push(
        finding('keys.expiring', {
          what,
          why: 'A set that has expired refuses installs; what runs goes on',
          path: keySet.file,
        }),
      );
    }
  } catch (error) {
    if (!isKeySetFault(error)) throw error;
    found.push(
      finding('keys.unusable', {
        what: `The key set ${keySet.file} cannot be used`,
        why: error.message,
        remedy: error.remedy,
        path: keySet.file,
      }),
    );
  }
  return found;
}

/** A key file has some hundred bytes, at the beginning of which it says what it is. */
async function privateKeys({ root, zips, algorithms }: StoreLayout): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const folder of [root, algorithms, zips]) {
    for (const name of await namesIn(folder)) {
      if (!/\.(?:pem|key|priv|p8|txt)$|^id_|private/i.test(name)) continue;
      const file = path.join(folder, name);
      if (!/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(await beginOf(file))) continue;
      const what = `${file} is a private key`;
      found.push(
        finding('keys.private', { what, why: 'A station checks signatures and makes none', path: file }),
      );
    }
  }
  return found;
}

async function beginOf(file: string): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return '';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch {
    return ''; // a folder
  } finally {
    await handle.close();
  }
}
