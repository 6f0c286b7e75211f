/**
 * Test kit: builders for wheels and packages, a stand-in SDK of both generations.
 *
 * @packageDocumentation
 */
export { buildPackage, packageEntries, defaultSdkWheels } from './build-package.js';
export type { PackageLayout, PackageSource } from './build-package.js';
export { buildWheel, wheelFileName } from './build-wheel.js';
export type { WheelSource } from './build-wheel.js';
export { sampleAlgorithm } from './sample-algorithm.js';
export { buildStandInSdk } from './stand-in-sdk.js';
export type { BuiltWheel, StandInSdkOptions } from './stand-in-sdk.js';
export { writeZip } from './zip-writer.js';
export type { ZipEntry } from './zip-writer.js';
export type { Generation } from '../package/types.js';
