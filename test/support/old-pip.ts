import { existsSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A wheel of pip before 22.2, as Python 3.7 brings it. */
export function findOldPip(): string | undefined {
  const versions = path.join(os.homedir(), '.pyenv', 'versions');
  for (const name of existsSync(versions) ? readdirSync(versions) : []) {
    const folder = path.join(versions, name, 'lib', 'python3.7', 'ensurepip', '_bundled');
    const file = (existsSync(folder) ? readdirSync(folder) : []).find((one) => /^pip-2[012]\./.test(one));
    if (file !== undefined) return path.join(folder, file);
  }
  return undefined;
}
