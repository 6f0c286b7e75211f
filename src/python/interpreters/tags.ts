import type { Wheel } from '../../package/types.js';
import type { Interpreter } from '../types.js';

/** Whether the interpreter accepts the wheel: one of the wheel's tags is among its own (PEP 425). */
export function fits(wheel: Pick<Wheel, 'tags'>, interpreter: Pick<Interpreter, 'tags'>): boolean {
  return wheel.tags.some((tag) => interpreter.tags.has(tag));
}

/**
 * The wheels the interpreter cannot do without and cannot use: for each project, all of its wheels when none fits.
 */
export function misfits(wheels: readonly Wheel[], interpreter: Pick<Interpreter, 'tags'>): Wheel[] {
  const byName = new Map<string, Wheel[]>();
  for (const wheel of wheels) byName.set(wheel.name, [...(byName.get(wheel.name) ?? []), wheel]);
  return [...byName.values()].filter((group) => !group.some((wheel) => fits(wheel, interpreter))).flat();
}

/**
 * The tags of an interpreter that say most of it: its own ABI's first, the stable ABI's and the pure one's. The whole
 * list has about a thousand.
 */
export function tellingTags(interpreter: Pick<Interpreter, 'tags' | 'abi' | 'platform'>, most = 6): string[] {
  const all = [...interpreter.tags];
  const own = all.filter((tag) => tag.split('-')[1] === interpreter.abi);
  const stable = all.find((tag) => tag.includes('-abi3-'));
  const pure = all.find((tag) => /^py3-none-any$/.test(tag));
  return [...own.slice(0, most - 2), stable, pure].filter((tag) => tag !== undefined);
}
