import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { patternOf, readPage } from '../support/doc-snippets.js';
import { freePort } from '../support/free-port.js';

const modules = path.join(inject('project'), 'node_modules');
const bin = path.join(modules, 'procvision-runner/dist/cli/bin.cjs');
const isThere = (program: string) => spawnSync(program, ['--version']).status === 0;
const missing = ['bash', 'curl', 'python3'].find((program) => !isThere(program));

/** What a reader of a page does, from its first line to its last, and what the page says that they see. */
function followed(page: string): { script: string; seen: string[] } {
  const script: string[] = [];
  const seen: string[] = [];
  const blocks = readPage(page).matchAll(/(?:<!-- file: (\S+) -->\n)?```(\w+)\n([^]*?)```/g);
  for (const [, file, language, text = ''] of blocks) {
    if (file !== undefined) script.push(`cat > ${file} <<'END-OF-FILE'\n${text}END-OF-FILE`);
    else if (language === 'sh') script.push(text);
    else if (language === 'text') seen.push(...text.split('\n').filter((line) => line.trim() !== ''));
  }
  return { script: script.join('\n'), seen };
}

test.skipIf(missing !== undefined).each(['docs/first-hour-backend.md', 'docs/first-hour-package.md'])(
  `%s works from its first line to its last${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`,
  async (page) => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'pv guide é '));
    onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
    const { script, seen } = followed(page);
    expect(seen.length).toBeGreaterThan(9);
    // In place of a registry: the packed library is there already, in a folder above.
    await mkdir(path.join(folder, 'node_modules'));
    await symlink(
      path.join(modules, 'procvision-runner'),
      path.join(folder, 'node_modules/procvision-runner'),
      'junction',
    );
    const programs = path.join(folder, 'programs');
    await mkdir(programs);
    const stands = { npm: 'exit 0', npx: `shift; exec "${process.execPath}" "$BIN" "$@"` };
    for (const [name, does] of Object.entries(stands)) {
      await writeFile(path.join(programs, name), `#!/bin/sh\n${does}\n`, { mode: 0o755 });
    }
    const file = path.join(folder, 'page.sh');
    // A program that the page leaves running ends with the page.
    const head = `set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n`;
    await writeFile(file, head + script.replaceAll('8099', String(await freePort())));
    const { status, stdout, stderr } = spawnSync('bash', [file], {
      cwd: folder,
      encoding: 'utf8',
      env: {
        ...process.env,
        PATH: [programs, path.dirname(process.execPath), process.env.PATH].join(path.delimiter),
        BIN: bin,
      },
      timeout: 240_000,
    });
    expect(status, stdout + stderr).toBe(0);
    const lines = stdout.split('\n');
    for (const line of seen) {
      const at = lines.findIndex((one) => patternOf(line).test(one));
      expect(at, `"${line}" of the page in what is left of the output:\n${lines.join('\n')}`).not.toBe(-1);
      lines.splice(0, at + 1);
    }
  },
  360_000,
);
