/**
 * Runs test files once for each Python 3.8 and later of this machine: `tsx test/support/every-python.ts <file>…`.
 * They start their workers under the interpreter that PROCVISION_TEST_PYTHON names.
 */
import { spawnSync } from 'node:child_process';
import { VenvManager } from '../../src/index.js';

const interpreters = await new VenvManager().interpreters();
const failed = interpreters.filter(({ path, version }) => {
  process.stdout.write(`\nPython ${version}: ${path}\n`);
  const { status } = spawnSync('npx', ['vitest', 'run', ...process.argv.slice(2)], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, PROCVISION_TEST_PYTHON: path },
  });
  return status !== 0;
});
for (const { version } of failed) process.stderr.write(`failed under Python ${version}\n`);
process.exitCode = failed.length > 0 || interpreters.length === 0 ? 1 : 0;
