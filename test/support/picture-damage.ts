import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';

/** Where a frame's file is. */
export interface Target {
  file: string;
  /** Of the workers of one deployment. */
  folder: string;
  pool: string;
}

/** What somebody does to a frame's file or the folders above it, in one synchronous step, so that it falls into any moment. */
export type Damage = (target: Target, random: (below: number) => number) => void;

function overwrite(file: string, bytes: Uint8Array, at: number): void {
  const opened = openSync(file, 'r+');
  try {
    writeSync(opened, bytes, 0, bytes.length, at);
  } finally {
    closeSync(opened);
  }
}

/** Under the same name as another inode. */
function replace(file: string, content: Uint8Array): void {
  const other = `${file}.other`;
  writeFileSync(other, content, { mode: 0o640 });
  renameSync(other, file);
}

function header(shape: string, type = '|u1'): Buffer {
  const fields = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
  const magic = Buffer.from('\u0093NUMPY\u0001\u0000v\u0000', 'latin1');
  return Buffer.concat([magic, Buffer.from(`${fields.padEnd(117)}\n`)]);
}

/** Twenty kinds. */
export const DAMAGE: Record<string, Damage> = {
  'file removed': ({ file }) => {
    rmSync(file);
  },
  'file replaced by a black picture': ({ file }) => {
    const content = readFileSync(file);
    replace(file, Buffer.concat([content.subarray(0, 128), Buffer.alloc(content.length - 128)]));
  },
  'file replaced by one of random bytes': ({ file }, random) => {
    replace(file, Buffer.alloc(statSync(file).size, random(256)));
  },
  'file replaced by a copy of itself': ({ file }) => {
    replace(file, readFileSync(file));
  },
  'file emptied': ({ file }) => {
    truncateSync(file, 0);
  },
  'file shortened': ({ file }, random) => {
    truncateSync(file, random(statSync(file).size));
  },
  'file shortened and lengthened again: the rest is zeros': ({ file }, random) => {
    const { size } = statSync(file);
    truncateSync(file, random(size));
    truncateSync(file, size);
  },
  'file lengthened': ({ file }, random) => {
    truncateSync(file, statSync(file).size + 1 + random(1 << 16));
  },
  'header of another shape': ({ file }) => {
    overwrite(file, header('(8, 32, 3)'), 0);
  },
  'header of another type': ({ file }) => {
    overwrite(file, header('(16, 16, 3)', '<f4'), 0);
  },
  'header of zeros': ({ file }) => {
    overwrite(file, Buffer.alloc(128), 0);
  },
  'one pixel changed': ({ file }, random) => {
    overwrite(file, Buffer.from([random(256)]), 128 + random(768));
  },
  'all pixels black': ({ file }) => {
    overwrite(file, Buffer.alloc(768), 128);
  },
  'trailer of another generation': ({ file }, random) => {
    overwrite(file, Buffer.from([random(256)]), 128 + 768 + 8);
  },
  'file made unreadable': ({ file }) => {
    chmodSync(file, 0);
  },
  'file replaced by a folder': ({ file }) => {
    rmSync(file);
    mkdirSync(file);
  },
  'file replaced by a link to what never ends': ({ file }) => {
    rmSync(file);
    symlinkSync('/dev/zero', file);
  },
  'file replaced by a pipe': ({ file }) => {
    rmSync(file);
    execFileSync('mkfifo', [file]);
  },
  'file has a second name, which is written through': ({ file, pool }) => {
    const second = path.join(pool, 'second-name');
    rmSync(second, { force: true });
    linkSync(file, second);
    overwrite(second, Buffer.alloc(100, 7), 300);
  },
  'folder of the workers removed': ({ folder }) => {
    rmSync(folder, { recursive: true });
  },
  'folder of the workers replaced by a file': ({ folder }) => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, '');
  },
  'folder of the workers moved away': ({ folder, pool }) => {
    const away = path.join(pool, 'away');
    rmSync(away, { recursive: true, force: true });
    renameSync(folder, away);
  },
  'folder of the workers closed': ({ folder }) => {
    chmodSync(folder, 0);
  },
  'folder of the pool removed': ({ pool }) => {
    rmSync(pool, { recursive: true });
  },
};
