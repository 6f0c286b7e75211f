import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import type { Interpreter } from '../../src/python/types.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { newestPip } from '../support/newest-pip.js';
import { chooseByUs, writeSet } from '../support/pip-choices.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** What differs between systems; `elf` is the number of the machine in the header of an executable (elf(5)). */
const SYSTEMS = {
  'linux-arm64 with glibc': { platform: 'linux-aarch64', glibc: '2.36', elf: 183 },
  'linux-arm64 with musl': { platform: 'linux-aarch64', musl: '1.2.4', elf: 183 },
  'linux-x64 with an old glibc': { platform: 'linux-x86_64', glibc: '2.12', elf: 62 },
  'linux-x64 with musl': { platform: 'linux-x86_64', musl: '1.2.5', elf: 62 },
  'linux-riscv64 with glibc': { platform: 'linux-riscv64', glibc: '2.39', elf: 243 },
};
type System = keyof typeof SYSTEMS;

const [interpreter] = (await new VenvManager().interpreters()).filter(({ version }) =>
  /^3\.1[0-9]\./.test(version),
);
const pip =
  process.platform !== 'linux'
    ? { reason: 'the C libraries of Linux are played on Linux alone' }
    : interpreter
      ? await newestPip(interpreter.path)
      : { reason: 'there is no Python 3.10 or later' };
const why = 'reason' in pip ? ` (${pip.reason})` : '';

/** The Python of this machine as it would be on another system, and the tags that pip gives it there. */
async function on(system: System): Promise<{ there: Interpreter; pips: string[] }> {
  if (!interpreter || 'reason' in pip) throw new Error('skipped');
  const script = fileURLToPath(new URL('../support/other_platform.py', import.meta.url));
  const tags = path.dirname(assetPath('python/interpreters/wheel_tags.py'));
  const args = ['-I', '-B', script, tags, pip.folder, await temporaryFolder()];
  const input = JSON.stringify(SYSTEMS[system]);
  const answer = JSON.parse(execFileSync(interpreter.path, args, { input }).toString()) as {
    abi: string;
    platform: string;
    ours: string[];
    pips: string[];
  };
  const { abi, platform } = answer;
  return { there: { ...interpreter, abi, platform, tags: new Set(answer.ours) }, pips: answer.pips };
}

async function choose(system: System, tags: readonly string[]) {
  const { there } = await on(system);
  const metadata = 'Metadata-Version: 2.1\nName: lens\nVersion: 1\n\n';
  const wheels = Object.fromEntries(
    tags.map((tag) => [`lens-1-${tag.replaceAll('ABI', there.abi)}.whl`, metadata] as const),
  );
  const written = await writeSet(await temporaryFolder(), {
    wheels,
    requirements: 'lens\n',
    constraints: '',
  });
  const answer = await chooseByUs(written, { interpreter: there, facts: await new FactsCache().get(there) });
  return 'chosen' in answer
    ? answer.chosen.map(([file]) => file.slice('lens-1-'.length, -'.whl'.length).replaceAll(there.abi, 'ABI'))
    : `${answer.failed}: ${answer.why}`;
}

const GLIBC_X64 = 'ABI-ABI-manylinux_2_17_x86_64.manylinux2014_x86_64';
const GLIBC_ARM = 'ABI-ABI-manylinux_2_17_aarch64.manylinux2014_aarch64';
const MUSL_ARM = 'ABI-ABI-musllinux_1_1_aarch64';
const MUSL_X64 = 'ABI-ABI-musllinux_1_2_x86_64';
const ALL = [GLIBC_X64, GLIBC_ARM, MUSL_ARM, MUSL_X64, 'ABI-ABI-win_amd64', 'py3-none-any'];

describe.skipIf('reason' in pip)(`on another system than this one${why}`, () => {
  test.each(Object.keys(SYSTEMS) as System[])('%s: the very tags of pip, in its order', async (system) => {
    const { there, pips } = await on(system);
    expect([...there.tags]).toEqual(pips);
    const machine = SYSTEMS[system].platform.slice('linux-'.length);
    expect(there.platform).toBe(`linux_${machine}`);
    const libc = [...there.tags].find((tag) => /-(many|musl)linux_/.test(tag));
    expect(libc).toContain('musl' in SYSTEMS[system] ? '-musllinux_1_2_' : '-manylinux_2_');
  });

  test.each<[System, string]>([
    ['linux-arm64 with glibc', GLIBC_ARM],
    ['linux-arm64 with musl', MUSL_ARM],
    ['linux-x64 with musl', MUSL_X64],
    // Built for a later glibc than the one of this station.
    ['linux-x64 with an old glibc', 'py3-none-any'],
  ])('%s: of wheels for every system that for this one is chosen', async (system, expected) => {
    expect(await choose(system, ALL)).toEqual([expected]);
  });

  test.each<[System, string, RegExp]>([
    [
      'linux-arm64 with glibc',
      GLIBC_X64,
      /packed for Linux on x86_64, and this is Linux on aarch64: pack it again with -w manylinux_2_28_aarch64/,
    ],
    [
      'linux-arm64 with musl',
      GLIBC_ARM,
      /packed for Linux with glibc, and this is Linux with musl: pack it again with -w musllinux_1_2_aarch64/,
    ],
    [
      'linux-x64 with an old glibc',
      MUSL_X64,
      /packed for Linux with musl, and this is Linux with glibc: pack it again with -w manylinux2010_x86_64/,
    ],
    [
      'linux-arm64 with glibc',
      'ABI-ABI-win_amd64',
      /packed for Windows, and this is Linux: pack it again with -w manylinux_2_28_aarch64/,
    ],
  ])(
    '%s: wheels for another are refused, with what they are for and what to pack',
    async (system, tag, message) => {
      expect(await choose(system, [tag])).toMatch(message);
    },
  );
});
