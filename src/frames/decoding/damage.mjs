// @ts-check
/** What is wrong with a picture, in words. */
export class Damage extends Error {}
