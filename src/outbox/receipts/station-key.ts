import type { KeyObject } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { nodeCrypto } from '../../node-crypto.js';
import { generateSigningKeys, readPrivateKey } from '../../package/keys.js';
import { makeFolder, renameOver, syncFile, syncFolder, writeFileAtomic } from '../../store/atomic-file.js';
import { isMissing } from '../../store/errno.js';

/** The public key of an outbox's heads, in its folder. */
export function publicKeyFile(folder: string): string {
  return path.join(folder, 'keys', 'receipts.pub.pem');
}

/**
 * The key that signs the heads of an outbox: that of the options, or a key that is made in the folder at the first open. The public
 * key is written beside it.
 *
 * @throws RunnerError `invalid_params` when it is no Ed25519 private key; an error of the system
 */
export async function stationKey(folder: string, given: string | KeyObject | undefined): Promise<KeyObject> {
  const key = given === undefined ? await ownKey(folder) : readPrivateKey(given);
  const pem = nodeCrypto().createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  const file = publicKeyFile(folder);
  if ((await textIn(file)) !== pem) await writeFileAtomic(file, pem);
  return key;
}

async function ownKey(folder: string): Promise<KeyObject> {
  const file = path.join(folder, 'keys', 'receipts.pem');
  const there = await textIn(file);
  if (there !== undefined) return readPrivateKey(there);
  await makeFolder(path.dirname(file));
  const { privateKey } = generateSigningKeys();
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(privateKey);
    await syncFile(handle);
  } finally {
    await handle.close();
  }
  await renameOver(`${file}.new`, file);
  await syncFolder(path.dirname(file));
  return readPrivateKey(privateKey);
}

async function textIn(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
