export const IS_WINDOWS = process.platform === 'win32';

/** Windows under Wine, as test/windows.ts says: what Wine has not, or does otherwise, is skipped there and runs on a real Windows. */
export const IS_WINE = IS_WINDOWS && process.env.PROCVISION_TEST_WINE === '1';

/** Code and signal of a child that was ended by its process id: Windows has no signals, Node ends it with exit code 1. */
export const KILLED_BY_ID = IS_WINDOWS ? [1, null] : [null, 'SIGKILL'];
