import { createHash } from 'node:crypto';
import { writeZip, type ZipEntry } from './zip-writer.js';

/** What a wheel is made from. */
export interface WheelSource {
  /** Project name as in METADATA. */
  name: string;
  /** Version of the project. */
  version: string;
  /** Path in the wheel to content, for example `{ 'pkg/__init__.py': '' }`. */
  files?: Record<string, string | Uint8Array>;
  /** Compatibility tag (PEP 425). @defaultValue 'py3-none-any' */
  tag?: string;
  /** Build number of the file name (PEP 427). */
  build?: string;
  /** `Requires-Dist` lines. */
  requires?: string[];
  /** `Requires-Python` specifier. */
  requiresPython?: string;
  /** `console_scripts` entry points: command to `module:function`. */
  scripts?: Record<string, string>;
  /** Content of `<name>-<version>.data/`: `{ 'data/etc/x': …, 'scripts/tool': … }`. */
  data?: Record<string, string | Uint8Array>;
  /** Other files of `.dist-info`, by file name. */
  distInfo?: Record<string, string>;
  /** Store instead of deflate. @defaultValue false */
  stored?: boolean;
}

/**
 * File name of the wheel that {@link buildWheel} makes of this source (PEP 427).
 *
 * @example
 * ```ts
 * wheelFileName({ name: 'tool-kit', version: '1.2', tag: 'cp311-cp311-win_amd64' }); // tool_kit-1.2-cp311-cp311-win_amd64.whl
 * ```
 */
export function wheelFileName(source: WheelSource): string {
  const parts = [escapePart(source.name), escapePart(source.version)];
  if (source.build !== undefined) parts.push(source.build);
  return `${parts.join('-')}-${source.tag ?? 'py3-none-any'}.whl`;
}

/**
 * A valid wheel: the files, METADATA, WHEEL, entry points and a RECORD with SHA-256 hashes (PEP 427, 376). Equal
 * input gives equal bytes.
 *
 * @example
 * ```ts
 * const source = { name: 'optics', version: '2.0', files: { 'optics/__init__.py': 'FOCUS = 12' }, requires: ['numpy'] };
 * const wheel = { file: wheelFileName(source), bytes: await buildWheel(source) };
 * const zip = await buildPackage({ wheels: [wheel], requirements: 'procvision_algorithm_sdk\noptics\n' });
 * ```
 */
// eslint-disable-next-line @typescript-eslint/require-await -- the contract gives a Promise
export async function buildWheel(source: WheelSource): Promise<Uint8Array> {
  const stem = `${escapePart(source.name)}-${escapePart(source.version)}`;
  const info = `${stem}.dist-info`;
  const tag = source.tag ?? 'py3-none-any';
  const entries: ZipEntry[] = [];
  const add = (name: string, data: string | Uint8Array) => {
    entries.push({ name, data, stored: source.stored });
  };
  for (const [file, content] of Object.entries(source.files ?? {})) add(file, content);
  for (const [file, content] of Object.entries(source.data ?? {})) add(`${stem}.data/${file}`, content);
  add(`${info}/METADATA`, metadata(source));
  add(`${info}/WHEEL`, wheelFile(tag, source.build));
  if (source.scripts) add(`${info}/entry_points.txt`, entryPoints(source.scripts));
  for (const [file, content] of Object.entries(source.distInfo ?? {})) add(`${info}/${file}`, content);
  const record = entries.map(({ name, data }) => {
    const bytes = Buffer.from(data ?? '');
    const hash = createHash('sha256').update(bytes).digest('base64url');
    return `${csvField(name)},sha256=${hash},${bytes.length}`;
  });
  add(`${info}/RECORD`, [...record, `${info}/RECORD,,`, ''].join('\n'));
  return writeZip(entries);
}

function metadata(source: WheelSource): string {
  return [
    'Metadata-Version: 2.1',
    `Name: ${source.name}`,
    `Version: ${source.version}`,
    ...(source.requiresPython === undefined ? [] : [`Requires-Python: ${source.requiresPython}`]),
    ...(source.requires ?? []).map((line) => `Requires-Dist: ${line}`),
    '',
    '',
  ].join('\n');
}

function wheelFile(tag: string, build: string | undefined): string {
  const [python = '', abi = '', platform = ''] = tag.split('-');
  const tags = python
    .split('.')
    .flatMap((p) => abi.split('.').flatMap((a) => platform.split('.').map((f) => `Tag: ${p}-${a}-${f}`)));
  return [
    'Wheel-Version: 1.0',
    'Generator: procvision-runner/testing',
    `Root-Is-Purelib: ${platform === 'any' ? 'true' : 'false'}`,
    ...tags,
    ...(build === undefined ? [] : [`Build: ${build}`]),
    '',
  ].join('\n');
}

function entryPoints(scripts: Record<string, string>): string {
  return [
    '[console_scripts]',
    ...Object.entries(scripts).map(([name, target]) => `${name} = ${target}`),
    '',
  ].join('\n');
}

function escapePart(part: string): string {
  return part.replace(/[-_.]+/g, (run) => (run === '.' ? '.' : '_')).replaceAll('-', '_');
}

function csvField(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
