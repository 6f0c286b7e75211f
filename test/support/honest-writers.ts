import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { forgeZip } from './forge-zip.js';
import { IS_WINDOWS } from './platform.js';

/** A file of the tree that is packed. */
export interface PackedFile {
  /** Relative, with `/`. */
  name: string;
  data: Buffer;
  mode: number;
}

/** A tool or library that writes zips. */
export interface Writer {
  name: string;
  /** Why it cannot write here; undefined where it can. */
  missing?: string;
  /** Whether it keeps which files are programs. */
  keepsModes: boolean;
  write: (tree: string, files: readonly PackedFile[], out: string) => Promise<void>;
}

/** Of a command: runs in the tree. */
function command(
  name: string,
  programs: readonly string[],
  args: (out: string) => string[],
  keepsModes = true,
): Writer {
  const program = programs.find((found) => spawnSync(found, ['--help']).error === undefined);
  return {
    name,
    keepsModes,
    ...(program === undefined && { missing: `no ${programs.join(', ')}` }),
    write: async (tree, _, out) => {
      const { status, stderr } = spawnSync(program ?? '', args(out), {
        cwd: tree,
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C.UTF-8' },
      });
      if (status !== 0) throw new Error(`${name}: ${stderr}`);
      await stat(out);
    },
  };
}

const load = createRequire(import.meta.url);

/** Without the types of a library, of which little is used. */
const importing = (library: string): Promise<unknown> => import(library);

/** What is used of each library. */
interface Yazl {
  ZipFile: new () => {
    outputStream: NodeJS.ReadableStream;
    addBuffer(data: Buffer, name: string, o: { mode: number }): void;
    addEmptyDirectory(name: string): void;
    end(): void;
  };
}
interface Archiver {
  ZipArchive: new (o: object) => NodeJS.ReadableStream & {
    append(data: Buffer, o: { name: string; mode: number }): void;
    finalize(): Promise<void>;
  };
}
type JsZip = new () => {
  file(name: string, data: Buffer, o: { unixPermissions: number }): void;
  generateAsync(o: object): Promise<Buffer>;
};
interface Fflate {
  zipSync: (files: Record<string, unknown>) => Uint8Array;
}
type AdmZip = new () => {
  addFile(name: string, data: Buffer, comment: string, attributes: number): void;
  toBuffer(): Buffer;
};
interface ZipJs {
  configure(o: object): void;
  Uint8ArrayWriter: new () => object;
  Uint8ArrayReader: new (data: Uint8Array) => object;
  ZipWriter: new (
    writer: object,
    o?: object,
  ) => { add(name: string, reader: object, o: object): Promise<unknown>; close(): Promise<Uint8Array> };
}
interface ClientZip {
  downloadZip: (files: Iterable<object>) => Response;
}

const zipPython = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:
    for folder, _, files in os.walk('.'):
        for name in files: z.write(os.path.join(folder, name))
`;

/** Everything that packages are packed with, as far as it is here. */
export const WRITERS: readonly Writer[] = [
  command('zip', ['zip'], (out) => ['-q', '-r', out, '.']),
  command('zip as a stream', ['zip'], (out) => ['-q', '-r', '-fd', out, '.']),
  command('7-Zip', ['7zz', '7z', '7za'], (out) => ['a', '-tzip', '-mm=Deflate', out, '.']),
  command('bsdtar', ['bsdtar'], (out) => ['-a', '-cf', out, '.']),
  command(
    'minizip',
    ['minizip'],
    (out) => ['-o', out, 'run.sh', 'sub/a.txt', 'sub/empty', 'sub/板卡 ü.bin', 'many.bin'],
    false,
  ),
  command('jar', ['jar'], (out) => ['--create', '--no-manifest', '--file', out, '.'], false),
  command('Python', ['python3'], (out) => ['-c', zipPython, out]),
  command('Python, make_archive', ['python3'], (out) => [
    '-c',
    'import shutil, sys; shutil.make_archive(sys.argv[1][:-4], "zip", ".")',
    out,
  ]),
  {
    // Windows PowerShell 5: backslashes between folders, made on MS-DOS, no folder entries, UTF-8 where it must.
    name: 'PowerShell 5, by its rules',
    keepsModes: false,
    write: (_, files, out) =>
      writeFile(
        out,
        forgeZip(
          files.map(({ name, data }) => ({
            name: name.replaceAll('/', '\\'),
            data,
            mode: 0,
            flags: /[\u0080-\uffff]/.test(name) ? 0x800 : 0,
            central: { madeBy: 20, external: 0 },
          })),
        ),
      ),
  },
  {
    name: 'archiver',
    keepsModes: true,
    write: async (_, files, out) => {
      const { ZipArchive } = (await importing('archiver')) as Archiver;
      const archive = new ZipArchive({ zlib: { level: 9 } });
      for (const { name, data, mode } of files) archive.append(data, { name, mode });
      await Promise.all([pipeline(archive, createWriteStream(out)), archive.finalize()]);
    },
  },
  {
    name: 'yazl',
    keepsModes: true,
    write: async (_, files, out) => {
      const { ZipFile } = load('yazl') as Yazl;
      const zip = new ZipFile();
      zip.addEmptyDirectory('sub');
      for (const { name, data, mode } of files) zip.addBuffer(data, name, { mode: 0o100000 | mode });
      zip.end();
      await pipeline(zip.outputStream, createWriteStream(out));
    },
  },
  ...([true, false] as const).map((streamFiles) => ({
    name: `jszip${streamFiles ? ' as a stream' : ''}`,
    keepsModes: true,
    write: async (_: string, files: readonly PackedFile[], out: string) => {
      const zip = new (load('jszip') as JsZip)();
      for (const { name, data, mode } of files) zip.file(name, data, { unixPermissions: 0o100000 | mode });
      const options = { type: 'nodebuffer', compression: 'DEFLATE', platform: 'UNIX', streamFiles };
      await writeFile(out, await zip.generateAsync(options));
    },
  })),
  {
    name: 'fflate',
    keepsModes: true,
    write: async (_, files, out) => {
      const { zipSync } = load('fflate') as Fflate;
      const tree = files.map(({ name, data, mode }) => [
        name,
        [data, { os: 3, attrs: ((0o100000 | mode) << 16) >>> 0 }],
      ]);
      await writeFile(out, zipSync(Object.fromEntries(tree) as Record<string, unknown>));
    },
  },
  {
    name: 'adm-zip',
    keepsModes: true,
    write: async (_, files, out) => {
      const zip = new (load('adm-zip') as AdmZip)();
      for (const { name, data, mode } of files) zip.addFile(name, data, '', mode);
      await writeFile(out, zip.toBuffer());
    },
  },
  ...[{}, { zip64: true }, { dataDescriptor: false, bufferedWrite: true }].map((options) => ({
    name: `zip.js ${JSON.stringify(options)}`,
    keepsModes: true,
    write: async (_: string, files: readonly PackedFile[], out: string) => {
      const zipJs = (await importing('@zip.js/zip.js')) as ZipJs;
      zipJs.configure({ useWebWorkers: false });
      const writer = new zipJs.ZipWriter(new zipJs.Uint8ArrayWriter(), options);
      for (const { name, data, mode } of files) {
        const external = ((0o100000 | mode) << 16) >>> 0;
        await writer.add(name, new zipJs.Uint8ArrayReader(data), {
          ...{
            externalFileAttributes: external,
            externalFileAttribute: external,
            versionMadeBy: (3 << 8) | 20,
          },
        });
      }
      await writeFile(out, await writer.close());
    },
  })),
  {
    name: 'client-zip',
    keepsModes: false,
    write: async (_, files, out) => {
      const { downloadZip } = (await importing('client-zip')) as ClientZip;
      const response = downloadZip(
        files.map(({ name, data }) => ({ name, input: data, lastModified: new Date() })),
      );
      await writeFile(out, Buffer.from(await response.arrayBuffer()));
    },
  },
];

/** The files below a tree, as they were unpacked. */
export async function contentOf(tree: string, files: readonly PackedFile[]): Promise<PackedFile[]> {
  return Promise.all(
    files.map(async ({ name }) => {
      const file = path.join(tree, name);
      return { name, data: await readFile(file), mode: (await stat(file)).mode & 0o777 };
    }),
  );
}

/** A line for each file, to compare: its name, its mode (Windows has none), and the hash of its content. */
export function listingOf(files: readonly PackedFile[]): string[] {
  const hashOf = (data: Buffer) => createHash('sha256').update(data).digest('hex');
  const modeOf = (mode: number) => (IS_WINDOWS ? '' : mode.toString(8));
  return files.map(({ name, data, mode }) => `${name} ${modeOf(mode)} ${hashOf(data)}`).sort();
}
