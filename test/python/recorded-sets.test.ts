import { expect, test } from 'vitest';
import { choose } from '../../src/python/choice/choose.js';
import { NoChoice } from '../../src/python/choice/no-choice.js';
import { readRequirementTree } from '../../src/package/requirement-tree.js';
import { parseWheelName } from '../../src/package/wheel-name.js';
import { recordedSets, type RecordedSet } from '../support/recorded-sets.js';

const { environment, wheels, sets } = recordedSets();
const files = wheels.map(({ file }) => parseWheelName(file, 1)).filter((wheel) => wheel !== undefined);
const saidBy = new Map(
  wheels.map(({ file, requires, python, extras }) => [
    file,
    {
      requires,
      extras: extras.map((extra) => extra.toLowerCase().replace(/[-_.]+/g, '-')),
      ...(python !== undefined && { requiresPython: python }),
    },
  ]),
);

/** What this library chooses: file and whether a requirement names it, in the order of installation; or why nothing. */
async function chosenFor({ requirements, constraints }: RecordedSet): Promise<string[] | string> {
  const contents: Record<string, string[]> = {
    'requirements.txt': constraints.length > 0 ? ['-c limits.txt', ...requirements] : requirements,
    'limits.txt': constraints,
  };
  const tree = await readRequirementTree('requirements.txt', (name) =>
    Promise.resolve(Buffer.from(`${contents[name]?.join('\n') ?? ''}\n`)),
  );
  if (tree.refused.length > 0) return `refused: ${tree.refused.map(({ text }) => text).join()}`;
  try {
    const { chosen } = await choose({
      ...tree,
      wheels: files,
      environment: { ...environment, tags: new Set(environment.tags) },
      metadataOf: (wheel) => Promise.resolve(saidBy.get(wheel.file)),
    });
    return chosen.map(({ file, requested }) => `${file}${requested ? ' requested' : ''}`);
  } catch (error) {
    if (!(error instanceof NoChoice)) throw error;
    return error.kind;
  }
}

function pipsChoice({ chosen = [], requested = [], failed }: RecordedSet): string[] | undefined {
  if (failed !== undefined) return undefined;
  return chosen.map(
    (wheel, place) => `${wheels[wheel]?.file ?? ''}${requested.includes(place) ? ' requested' : ''}`,
  );
}

test(`chooses what pip 26.3 chooses for ${sets.length} sets of requirements, from ${wheels.length} wheels of the index`, async () => {
  const disagreements: object[] = [];
  const count = { chosen: 0, failed: 0, undecided: 0 };
  for (const set of sets) {
    const ours = await chosenFor(set);
    const pips = pipsChoice(set);
    count[pips ? 'chosen' : 'failed']++;
    if (ours === 'too much' || ours === 'outside') count.undecided++;
    const isSame =
      pips && typeof ours !== 'string'
        ? // Where projects need each other pip's order is another in each process.
          (set.isInTurn ? [...ours].sort() : ours).join() === (set.isInTurn ? [...pips].sort() : pips).join()
        : !pips && typeof ours === 'string';
    if (!isSame) disagreements.push({ ...set, pips, ours });
  }
  expect(disagreements.slice(0, 5)).toEqual([]);
  expect(count.undecided).toBeLessThanOrEqual(sets.length / 50);
  expect(sets.length).toBeGreaterThanOrEqual(500);
  expect(count.chosen).toBeGreaterThan(sets.length / 4);
  expect(count.failed).toBeGreaterThan(sets.length / 20);
});
