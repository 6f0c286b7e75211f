import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { assetPath } from '../../assets.js';

/** Where the files of the page lie beside the compiled modules. */
const FILES = 'http/page/files';
/** What the page shares with annotated pictures. */
const SHARED: Readonly<Record<string, string>> = { 'marks.mjs': 'acceptance/drawing/marks.mjs' };

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * What a browser lets the page do: load its own files and talk to its own server. A text that came from elsewhere cannot become
 * HTML, whatever the page's code does with it (Trusted Types).
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
};

/**
 * The page for people, or one of its files. They hold nothing of the station: what the page shows it asks the endpoints for, with the
 * token that a person gives it.
 *
 * @param place - path behind the handler's base, such as `/` or `/page/main.mjs`
 * @returns undefined where that is no file of the page
 */
export async function pageAt(place: string): Promise<Response | undefined> {
  const name = place === '/' ? 'index.html' : /^\/page\/([a-z-]+\.(?:mjs|css|svg))$/.exec(place)?.[1];
  if (name === undefined) return undefined;
  const file = assetPath(SHARED[name] ?? `${FILES}/${name}`);
  const bytes = await readFile(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (!bytes) return undefined;
  return new Response(new Uint8Array(bytes), {
    headers: { ...HEADERS, 'content-type': TYPES[path.extname(name)] ?? '' },
  });
}
