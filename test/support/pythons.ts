import { VenvManager, type Interpreter } from '../../src/index.js';

let found: Promise<Interpreter[]> | undefined;

/** Paths of the Pythons 3.8 and later of this machine, asked once for a test file. */
export async function pythonsAtHand(): Promise<string[]> {
  found ??= new VenvManager().interpreters();
  return (await found).map(({ path }) => path);
}
