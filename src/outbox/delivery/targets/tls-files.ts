import { readFile } from 'node:fs/promises';

/** Files of PEM for a line by TLS. They are read when a line is made: renewed ones are in force at the next. */
export interface TlsFiles {
  /** Certificates of those who may sign that of the other side. @defaultValue those that Node trusts */
  caFile?: string;
  /** Certificate of this station. */
  certFile?: string;
  /** Key of that certificate. */
  keyFile?: string;
  /** Of the key, where it is encrypted. */
  passphrase?: string;
}

/** What the files hold. @throws Error `CERT_FILE` naming a file that cannot be read */
export async function readTls({ caFile, certFile, keyFile, passphrase }: TlsFiles = {}): Promise<{
  ca?: string;
  cert?: string;
  key?: string;
  passphrase?: string;
}> {
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(read));
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
  };
}

async function read(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return readFile(file, 'utf8').catch((error: unknown) => {
    const unread = new Error(`the file ${file} cannot be read: ${(error as Error).message}`);
    throw Object.assign(unread, { code: 'CERT_FILE' });
  });
}
