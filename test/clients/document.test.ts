import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { openHttpRunner } from '../support/http-runner.js';
import { npmTools } from '../support/npm-tools.js';

const tools = await npmTools(new URL('tools.json', import.meta.url));
const skipped = typeof tools === 'string' ? ` (skipped: ${tools})` : '';

/** What a linter says to the document that a handler serves; its configuration stands beside it. */
async function lint(linter: 'redocly' | 'spectral', config: Record<string, string>, args: string[]) {
  if (typeof tools === 'string') throw new Error(tools);
  const { ask } = await openHttpRunner();
  // Spectral looks for its file as a pattern: the letters of a temporary folder of the tests are not for it.
  const folder = await mkdtemp(path.join(tools.folder, 'document-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, 'openapi.json'), await (await ask('GET', '/openapi.json')).text());
  for (const [file, text] of Object.entries(config)) await writeFile(path.join(folder, file), text);
  const program = path.join(tools.folder, 'node_modules', '.bin', linter);
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  return promisify(execFile)(program, ['lint', 'openapi.json', ...args], { cwd: folder, env }).then(
    () => ({ faults: 'none' }),
    (error: unknown) => {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return { faults: stdout + stderr };
    },
  );
}

test.skipIf(typeof tools === 'string')(
  `the document keeps the strict rules of redocly, warnings included${skipped}`,
  async () => {
    const config = { 'redocly.yaml': 'extends:\n  - recommended-strict\n' };
    expect(await lint('redocly', config, ['--format=stylish'])).toEqual({ faults: 'none' });
  },
);

test.skipIf(typeof tools === 'string')(
  `the document keeps the rules of spectral for OpenAPI, hints included${skipped}`,
  async () => {
    const config = { '.spectral.yaml': 'extends: ["spectral:oas"]\n' };
    expect(await lint('spectral', config, ['--fail-severity=hint'])).toEqual({ faults: 'none' });
  },
);
