import type { KnownWheel } from '../package/resolution.js';
import { shown } from '../package/text.js';
import type { Choice } from '../python/choice/choose.js';

/**
 * Files that two wheels own and that are not the same in both, of the wheels that are installed: the wheel that is
 * installed last wins, as with pip. One string for each pair of wheels.
 */
export function overlapsIn({ chosen }: Choice, known: readonly KnownWheel[]): string[] {
  const ownedBy = new Map(known.map(({ wheel, owned }) => [wheel.file, owned]));
  const last = new Map<string, { file: string; crc: number }>();
  const pairs = new Map<string, { wheels: [string, string]; files: string[] }>();
  for (const { file } of chosen) {
    for (const [place, crc] of ownedBy.get(file) ?? []) {
      const before = last.get(place);
      last.set(place, { file, crc });
      if (!before || before.crc === crc) continue;
      const key = `${before.file}\n${file}`;
      const pair = pairs.get(key) ?? { wheels: [before.file, file], files: [] };
      pair.files.push(place);
      pairs.set(key, pair);
    }
  }
  return [...pairs.values()].map(({ wheels: [first, second], files }) => {
    const more = files.length === 1 ? ' is' : ` and ${files.length - 1} more files are`;
    const names = [first, second].sort().join(' and in ');
    return `${shown(files[0] ?? '')}${more} in ${names}: what is installed is that of ${second}, as with pip`;
  });
}
