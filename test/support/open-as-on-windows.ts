import fs from 'node:fs';
import { stat } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';

function refused(call: string, file: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`EPERM: operation not permitted, ${call} '${file}'`), { code: 'EPERM' });
}

/**
 * As Windows, to root too, until it is disposed: what is marked read-only is not opened for writing, and what is not open for
 * writing is not synced. `synced` gets the names of the files that are.
 */
export function openAsOnWindows(): Disposable & { synced: string[] } {
  const original = fs.promises.open;
  const synced: string[] = [];
  fs.promises.open = async (file, flags, mode) => {
    const name = path.basename(String(file));
    if (flags === 'r+' && ((await stat(file)).mode & 0o200) === 0) throw refused('open', name);
    const handle = await original(file, flags, mode);
    const sync = handle.sync.bind(handle);
    handle.sync = () => {
      if (flags === 'r') return Promise.reject(refused('fsync', name));
      synced.push(name);
      return sync();
    };
    return handle;
  };
  syncBuiltinESMExports();
  return {
    synced,
    [Symbol.dispose]() {
      fs.promises.open = original;
      syncBuiltinESMExports();
    },
  };
}
