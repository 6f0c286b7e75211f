import { spawnSync } from 'node:child_process';

/** Whether the `python3` of this machine can import pip: some come with `ensurepip` alone. */
export const HAS_PIP = spawnSync('python3', ['-c', 'import pip']).status === 0;
