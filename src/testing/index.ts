/**
 * Test kit: builders for wheels and packages, a stand-in SDK of both generations, scripted workers without Python,
 * temporary stores, faults of the file system, a virtual clock. It needs no test runner, and works with any.
 *
 * @packageDocumentation
 */
export { writeAlgorithmFolder } from './algorithm-folder.js';
export type { AlgorithmFolderSource } from './algorithm-folder.js';
export { buildPackage, packageEntries, defaultSdkWheels } from './build-package.js';
export type { PackageLayout, PackageSource } from './build-package.js';
export { buildWheel, wheelFileName } from './build-wheel.js';
export type { WheelSource } from './build-wheel.js';
export { conformance } from './conformance/conformance.js';
export type {
  ConformanceCall,
  ConformanceOptions,
  ConformanceParty,
  ConformanceReport,
  ConformanceRow,
  ConformanceStore,
} from './conformance/types.js';
export { FakeWorker } from './fake-worker/fake-worker.js';
export type { FakeAnswer, FakeError, FakeResult } from './fake-worker/answers.js';
export type { FakeHandler, FakeResponse, FakeStart, FakeWorkerOptions } from './fake-worker/options.js';
export type { FakeCall, FakeCallData, FakeImage, FakeProcess } from './fake-worker/types.js';
export { sampleAlgorithm } from './sample-algorithm.js';
export type { SampleSource } from './sample-algorithm.js';
export { buildStandInSdk } from './stand-in-sdk.js';
export type { BuiltWheel, StandInSdkOptions } from './stand-in-sdk.js';
export { temporaryFolder } from './temporary-folder.js';
export type { TemporaryFolder } from './temporary-folder.js';
export { TemporaryStore } from './temporary-store.js';
export type { VersionSource } from './deploy-version.js';
export { VirtualClock } from './virtual-clock.js';
export * from './old-names.js';
export type { FileStep, FileStepPlace, FileStepPlan, FileSteps } from './file-steps/types.js';
export { writeZip } from './zip-writer.js';
export type { ZipEntry } from './zip-writer.js';
export type { Generation } from '../package/types.js';
