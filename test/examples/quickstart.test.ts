import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { expect, test } from 'vitest';
import { repositoryFile, runScript } from '../support/run-script.js';
import { sharedFile } from '../support/shared-material.js';
import { temporaryFolder } from '../support/temp-folder.js';

interface Account {
  title: string;
  verdict: string;
  boxes: { x: number; y: number; width: number; height: number }[];
}

/** What the quickstart reports of each picture. */
function accounts(stdout: string): Account[] {
  return stdout
    .split('\n\n')
    .filter((block) => block.includes('  verdict  '))
    .map((block) => ({
      title: block.trim().split('\n')[0] ?? '',
      verdict: /verdict {2}(\w+)/.exec(block)?.[1] ?? '',
      boxes: [...block.matchAll(/box +(\d+) x (\d+) at (\d+), (\d+)/g)].map(([, width, height, x, y]) => ({
        x: Number(x),
        y: Number(y),
        width: Number(width),
        height: Number(height),
      })),
    }));
}

async function quickstart(...args: string[]): Promise<{ accounts: Account[]; out: string }> {
  const out = await temporaryFolder();
  const stdout = await runScript(repositoryFile('src/cli/bin.ts'), ['quickstart', '--out', out, ...args]);
  return { accounts: accounts(stdout), out };
}

test('the drawn boards: the good one is OK, the one without R2 is NG with one box over the bare place', async () => {
  const { accounts, out } = await quickstart();
  expect(accounts).toMatchObject([
    { title: 'A good board', verdict: 'OK', boxes: [] },
    { title: 'A board without R2', verdict: 'NG', boxes: [{}] },
  ]);
  // R2 is 64 x 24 at 352, 288; its bare pads stay within.
  const box = accounts[1]?.boxes[0] ?? { x: 0, y: 0, width: 0, height: 0 };
  expect(box.x).toBeGreaterThanOrEqual(344);
  expect(box.x + box.width).toBeLessThanOrEqual(424);
  expect(box.y).toBe(288);
  expect(box.height).toBe(24);
  const picture = PNG.sync.read(await readFile(path.join(out, 'missing-part.png')));
  const above = ((box.y - 2) * picture.width + box.x + 4) * 4;
  expect([...picture.data.subarray(above, above + 3)]).toEqual([220, 40, 40]);
  // The word of the verdict stands in the corner within the frame: letters of its colour on a white plate.
  for (const [file, colour] of [
    ['missing-part.png', '220,40,40'],
    ['good-board.png', '24,122,58'],
  ] as const) {
    const { data, width } = PNG.sync.read(await readFile(path.join(out, file)));
    const seen = new Map<string, number>();
    for (let y = 14; y < 46; y++) {
      for (let x = 14; x < 62; x++) {
        const at = (y * width + x) * 4;
        const key = data.subarray(at, at + 3).join();
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    }
    expect([...seen.keys()].sort()).toEqual(['255,255,255', colour].sort());
    expect(seen.get(colour)).toBeGreaterThan(200);
  }
});

const photograph = sharedFile('images/pcb-board.jpg');
test.skipIf(!photograph)(
  `a photograph is OK as it is, NG with a box that covers the part painted over${photograph ? '' : ' (skipped: no photograph beside the checkout)'}`,
  async () => {
    const { accounts } = await quickstart('--image', photograph ?? '');
    expect(accounts.map(({ verdict }) => verdict)).toEqual(['OK', 'NG']);
    const [, width = 0, height = 0, x = 0, y = 0] = (
      /with (\d+) x (\d+) at (\d+), (\d+) painted over/.exec(accounts[1]?.title ?? '') ?? []
    ).map(Number);
    expect(width * height).toBeGreaterThan(0);
    const [box] = accounts[1]?.boxes ?? [];
    expect(box?.x).toBeLessThanOrEqual(x);
    expect(box?.y).toBeLessThanOrEqual(y);
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeGreaterThanOrEqual(x + width);
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeGreaterThanOrEqual(y + height);
  },
);

const noPicture = repositoryFile('package.json');
test.each([
  [
    'a file that is no picture',
    ['--image', noPicture],
    `${noPicture} cannot be read as a picture: it is neither`,
  ],
  ['a file that is not there', ['--image', 'no such.png'], 'There is no picture no such.png'],
  ['an option it does not have', ['--imag', 'x.png'], "unknown option '--imag'. Did you mean --image?"],
  ['a reference without an image', ['--reference', 'x.png'], 'give both'],
])('%s is refused in words, without a stack', async (_title, args, message) => {
  const failure = (await quickstart(...args).catch((error: unknown) => error)) as { stderr: string };
  expect(failure.stderr).toContain(message);
  expect(failure.stderr).not.toMatch(/^ {4}at /m);
});
