/**
 * Test kit: builders for wheels and packages, a stand-in SDK, a scripted worker.
 *
 * @packageDocumentation
 */
export {};
