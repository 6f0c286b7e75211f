import { renameOver } from './atomic-file.js';

const ASIDE = '.damaged-';

/** Whether a file of this name was put there by {@link setAside}. */
export function isSetAside(name: string): boolean {
  return name.includes(ASIDE);
}

/** A name beside `target` that says when it was put there. */
export function nameAside(target: string): string {
  return `${target}${ASIDE}${new Date().toISOString().replaceAll(':', '-')}`;
}

/**
 * Moves something that is damaged, or is not what it must be, out of the way, under a name that says when. It is kept:
 * people may want to look at it.
 *
 * @returns where it is now
 */
export async function setAside(target: string): Promise<string> {
  const aside = nameAside(target);
  await renameOver(target, aside);
  return aside;
}
