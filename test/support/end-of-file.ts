/** What is to be done when the tests of a file are over. Scripts that run outside of the test runner may import this too. */
export const atEndOfFile: (() => Promise<unknown>)[] = [];
