import type { Archive, ArchiveEntry } from './archive-types.js';

/** Longest `.pth` or `.start` file that is read. A longer file is reported as if it ran code. */
const MOST_BYTES = 64 * 1024;
/** Folders of a wheel that are put into site-packages (PEP 427). */
const IN_SITE_PACKAGES = /^(?:[^/]+\.data\/(?:purelib|platlib)\/)?([^/]+|[^/]+\/__init__\.[^/]+)$/;
/** Modules that `site` imports, as a file or as a package. */
const CUSTOMIZE = /^(?:site|user)customize(?:\.|\/)/i;

/**
 * Files of a wheel that the interpreter runs, or follows, at every start in an environment that has it (`site` of the
 * standard library): `.pth` files with a line that begins with `import`, `.start` files (Python 3.15), sitecustomize and usercustomize.
 */
export async function startupFilesOf(archive: Archive, signal?: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  const candidates: ArchiveEntry[] = [];
  archive.entries.forEach((entry) => {
    const [, name = ''] = IN_SITE_PACKAGES.exec(entry.name) ?? [];
    if (/\.(?:pth|start)$/i.test(name) || CUSTOMIZE.test(name)) candidates.push(entry);
  });
  for (const entry of candidates) {
    if (await runsCode(archive, entry, signal)) found.push(entry.name);
  }
  return found;
}

async function runsCode(archive: Archive, entry: ArchiveEntry, signal?: AbortSignal): Promise<boolean> {
  if (!/\.pth$/i.test(entry.name) || entry.sizeBytes > MOST_BYTES) return true;
  const bytes = await archive.read(entry, { signal, maxBytes: MOST_BYTES });
  // As site.addpackage() does; it takes lines apart by \n, \r and \r\n, in whatever encoding.
  return Buffer.from(bytes)
    .toString('latin1')
    .split(/[\r\n]/)
    .some((line) => /^(?:\u00ef\u00bb\u00bf)?import[ \t]/.test(line));
}
