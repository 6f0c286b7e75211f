import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { canBox, startScript, type ScriptRun } from '../support/child-script.js';
import { IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { reportSoak } from '../support/soak-report.js';

/** Acquisitions in all; `npm run soak:locks` makes it ten thousand. */
const ACQUISITIONS = Number(process.env.LOCK_SOAK ?? 120);
const PROCESSES = ACQUISITIONS > 1_000 ? 6 : 4;
const KILL_EVERY = ACQUISITIONS > 1_000 ? 250 : 25;

/** Every other process is in a container of its own, where the system makes some: none of the others sees its pid. */
const hasBoxes = canBox();

interface Tally {
  acquisitions: number;
  doubleHolders: string[];
  killedInside: number;
}

/** Reads the journal: nobody enters while another is inside, but for one that was killed and says nothing more. */
function tallyOf(journal: string, killed: ReadonlySet<string>): Tally {
  const tally: Tally = { acquisitions: 0, doubleHolders: [], killedInside: 0 };
  const silent = new Set<string>();
  let inside: string | undefined;
  for (const [number, line] of journal.trim().split('\n').entries()) {
    const [what, id = ''] = line.split(' ');
    if (silent.has(id)) tally.doubleHolders.push(`line ${number}: ${id} was robbed and still lives`);
    if (what === 'enter') {
      tally.acquisitions += 1;
      if (inside !== undefined) {
        silent.add(inside);
        tally.killedInside += 1;
        if (!killed.has(inside)) tally.doubleHolders.push(`line ${number}: ${id} entered beside ${inside}`);
      }
      inside = id;
    } else {
      if (inside !== id) tally.doubleHolders.push(`line ${number}: ${id} left, but ${inside} was inside`);
      inside = undefined;
    }
  }
  return tally;
}

test('judge tells two who were inside at once from one who was killed inside', () => {
  expect(tallyOf('enter a\nenter b\nleave b\nleave a\n', new Set(['a'])).doubleHolders).toHaveLength(2);
  expect(tallyOf('enter a\nenter b\nleave b\n', new Set()).doubleHolders).toHaveLength(1);
  expect(tallyOf('enter a\nenter b\nleave b\n', new Set(['a']))).toMatchObject({
    ...{ doubleHolders: [], killedInside: 1, acquisitions: 2 },
  });
});

test(
  `${ACQUISITIONS} acquisitions by ${PROCESSES} processes with random kills never have two holders`,
  { timeout: (60_000 + ACQUISITIONS * 60) * (IS_WINE ? 3 : 1) }, // its processes start slowly
  async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, 'store.lock');
    const journal = path.join(folder, 'journal');
    await writeFile(journal, '');
    const killed = new Set<string>();
    const living = new Map<string, ScriptRun>();
    const ends: Promise<void>[] = [];
    let started = 0;
    let done = 0;
    let nextKill = KILL_EVERY;

    const tick = (inside: string) => {
      done += 1;
      if (done < nextKill || done >= ACQUISITIONS) return;
      nextKill += Math.ceil(KILL_EVERY * (0.5 + Math.random()));
      const ids = [...living.keys()];
      const anyone = ids[Math.floor(Math.random() * ids.length)] ?? '';
      const victim = Math.random() < 0.5 && living.has(inside) ? inside : anyone;
      killed.add(victim);
      living.get(victim)?.process.kill('SIGKILL');
      living.delete(victim);
      start();
    };
    const start = () => {
      ends.push(runToItsEnd(`p${(started += 1)}`));
    };
    const runToItsEnd = async (id: string) => {
      const rounds = Math.ceil(ACQUISITIONS / PROCESSES);
      const run = await startScript(
        'lock-child.ts',
        [file, journal, id, String(rounds)],
        () => {
          tick(id);
        },
        { inBox: hasBoxes && ends.length % 2 === 0 },
      );
      living.set(id, run);
      const { exitCode, signal, stderr } = await run.end;
      living.delete(id);
      if (signal === null) killed.delete(id); // it had come to its end before it was reached
      if (killed.has(id)) expect([exitCode, signal]).toEqual([null, 'SIGKILL']);
      else expect({ exitCode, signal, stderr }).toEqual({ exitCode: 0, signal: null, stderr: '' });
    };
    for (let index = 0; index < PROCESSES; index++) start();
    for (const end of ends) await end; // those started meanwhile come at its end

    const tally = tallyOf(await readFile(journal, 'utf8'), killed);
    reportSoak('LOCK_SOAK', 'locks', { ...tally, killed: killed.size });
    expect(tally.doubleHolders).toEqual([]);
    expect(tally.acquisitions).toBeGreaterThanOrEqual(ACQUISITIONS);
    expect(killed.size).toBeGreaterThan(1);
    // At most what the last one killed left; the next holder clears it.
    expect((await readdir(folder)).filter((name) => name.includes('.claim-')).length).toBeLessThanOrEqual(1);
  },
);
