import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { NEWEST_PIP, newestPip } from '../support/newest-pip.js';
import { chooseByUs, PipChoices, writeSet, type Answer, type WrittenSet } from '../support/pip-choices.js';
import { wheelSet } from '../support/wheel-sets.js';
import { reportSoak } from '../support/soak-report.js';

/** RESOLVER_SETS: how many sets are generated; RESOLVER_FIRST: the number of the first. */
const SETS = Number(process.env.RESOLVER_SETS ?? 400);
const FIRST = Number(process.env.RESOLVER_FIRST ?? 1);
/** Some orders of pip are those of one process in ten. */
const MOST_PROCESSES = 60;
/** Of these the command line of pip is asked, too. */
const BY_COMMAND_LINE = 20;

const [interpreter] = (await new VenvManager().interpreters()).filter(({ version }) =>
  /^3\.1[0-9]\./.test(version),
);
const pip = interpreter ? await newestPip(interpreter.path) : { reason: 'there is no Python 3.10 or later' };

test.skipIf('reason' in pip)(
  `chooses the wheels that pip ${NEWEST_PIP} chooses, in its order, from ${SETS} generated sets${'reason' in pip ? ` (${pip.reason})` : ''}`,
  async () => {
    if ('reason' in pip || !interpreter) return;
    const facts = await new FactsCache().get(interpreter);
    const { abi, platform } = interpreter;
    const tags = [
      ...[
        `${abi}-${abi}-${platform}`,
        `${abi}-abi3-${platform}`,
        `cp38-abi3-${platform}`,
        `py3-none-${platform}`,
      ],
      ...[
        'py3-none-any',
        'py2.py3-none-any',
        `${abi}-none-any`,
        `${abi}-${abi}-manylinux_2_17_x86_64.manylinux2014_x86_64`,
      ],
    ].filter((tag) => !tag.includes('manylinux') || platform === 'linux_x86_64');
    const foreign = [
      'cp27-cp27m-win32',
      'py2-none-any',
      `${abi}-${abi}-macosx_11_0_arm64`,
      'cp39-cp39-win_amd64',
    ];
    await using theirs = new PipChoices(interpreter.path, pip.folder);
    const root = await mkdtemp(path.join(os.tmpdir(), 'procvision-sets-'));
    const disagreements: object[] = [];
    const counts = { chosen: 0, failed: 0, circles: 0, crashes: 0 };
    const isAlsoPips = async (written: WrittenSet, ours: Answer) => {
      for (let process = 0; process < MOST_PROCESSES; process++) {
        await using again = new PipChoices(interpreter.path, pip.folder);
        if (textOf(await again.ask(written)) === textOf(ours)) return true;
      }
      return false;
    };
    try {
      for (let number = FIRST; number < FIRST + SETS; number++) {
        const set = wheelSet(number, { tags, foreign });
        const folder = path.join(root, String(number));
        const written = await writeSet(folder, set);
        const [ours, pips] = await Promise.all([
          chooseByUs(written, { interpreter, facts }),
          theirs.ask(written),
        ]);
        if (number < FIRST + BY_COMMAND_LINE) {
          const byCommandLine = await theirs.ask(written, { cli: true });
          expect([number, filesOf(byCommandLine)]).toEqual([number, filesOf(pips)]);
        }
        counts['chosen' in pips ? 'chosen' : 'failed']++;
        // Where a circle of projects is not needed any more pip ends in a recursion without end (resolvelib 1.2.1).
        if ('failed' in pips && pips.failed === 'RecursionError') counts.crashes++;
        else if (textOf(ours) !== textOf(pips)) {
          // Where projects need each other, pip's order comes from Python's order of sets, another in each process.
          if (filesOf(ours) === filesOf(pips) && (await isAlsoPips(written, ours))) counts.circles++;
          else disagreements.push({ number, ours, pips });
        }
        await rm(folder, { recursive: true });
      }
    } finally {
      await rm(root, { recursive: true, force: true });
    }
    const found = { sets: SETS, ...counts, disagreements: disagreements.length };
    reportSoak('RESOLVER_SETS', 'sets of wheels', found);
    expect(disagreements.slice(0, 5)).toEqual([]);
    expect(counts.chosen).toBeGreaterThan(SETS / 4);
    expect(counts.failed).toBeGreaterThan(SETS / 20);
    expect(counts.crashes).toBeLessThanOrEqual(SETS / 100);
  },
);

function textOf(answer: Answer): string {
  return 'chosen' in answer ? JSON.stringify(answer.chosen) : 'failed';
}

function filesOf(answer: Answer): string {
  if (!('chosen' in answer)) return 'failed';
  return answer.chosen
    .map(([file, requested]) => `${file} ${requested}`)
    .sort()
    .join('\n');
}
