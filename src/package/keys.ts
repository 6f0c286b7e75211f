import type { KeyObject } from 'node:crypto';
import { RunnerError } from '../errors.js';
import { nodeCrypto } from '../node-crypto.js';
import type { SigningKeys } from './integrity/types.js';

/** Makes a pair of Ed25519 keys for {@link signPackage} and {@link IntegrityPolicy.publicKeys}. */
export function generateSigningKeys(): SigningKeys {
  const { publicKey, privateKey } = nodeCrypto().generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    keyId: keyIdOf(publicKey),
  };
}

/** Identifier of a public key: the first 16 bytes of the SHA-256 of its SPKI encoding, in hex. */
export function keyIdOf(publicKey: KeyObject): string {
  const encoded = publicKey.export({ type: 'spki', format: 'der' });
  return nodeCrypto().createHash('sha256').update(encoded).digest('hex').slice(0, 32);
}

/** @throws RunnerError `invalid_params` when it is no Ed25519 public key */
export function readPublicKey(key: string | KeyObject): KeyObject {
  const { KeyObject, createPublicKey } = nodeCrypto();
  // OpenSSL would make the public key of it, and nobody would notice where the private one lies.
  if (typeof key === 'string' && key.includes('PRIVATE KEY'))
    throw new RunnerError(
      'invalid_params',
      'A public key is expected, and this is a private key: give its public key (openssl pkey -in private.pem -pubout), and keep the private one where things are signed',
    );
  return ed25519('public', () =>
    key instanceof KeyObject && key.type === 'public' ? key : createPublicKey(key),
  );
}

/** @throws RunnerError `invalid_params` when it is no Ed25519 private key */
export function readPrivateKey(key: string | KeyObject): KeyObject {
  const { KeyObject, createPrivateKey } = nodeCrypto();
  return ed25519('private', () => (key instanceof KeyObject ? key : createPrivateKey(key)));
}

function ed25519(type: 'public' | 'private', read: () => KeyObject): KeyObject {
  const fault = `A ${type} key must be an Ed25519 ${type} key as PEM or key object`;
  let key: KeyObject;
  try {
    key = read();
  } catch (cause) {
    // The text of a private key must not reach a log, so the cause is named without it.
    throw new RunnerError('invalid_params', fault, { cause });
  }
  if (key.type !== type || key.asymmetricKeyType !== 'ed25519')
    throw new RunnerError('invalid_params', fault);
  return key;
}
