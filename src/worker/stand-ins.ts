import path from 'node:path';

/** Program and arguments by the root of the version whose worker they are. */
const programs = new Map<string, readonly string[]>();

/**
 * Has a program of the test kit stand in for the worker of the versions in one folder, in this process. Nothing that is read from a file, and no option of a class, leads here: what a station runs is the
 * interpreter of the version's environment.
 */
export function standIn(root: string, command: readonly string[]): void {
  programs.set(path.resolve(root), command);
}

/** The program that stands in for the worker of a version. */
export function standInFor(root: string): readonly string[] | undefined {
  return programs.size === 0 ? undefined : programs.get(path.resolve(root));
}
