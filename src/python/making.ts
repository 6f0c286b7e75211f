/** What environments are made with, loaded when a manager is first asked for one. */
export { compileSources } from './environments/compile.js';
export { describeEnvironment, makeEnvironment, readPyvenvCfg } from './environments/environment.js';
export { pythonIn } from './environments/environment-paths.js';
export { distInfos } from './environments/record.js';
export { snapshot } from './environments/snapshot.js';
export { verifyEnvironment } from './environments/verify.js';
export { installWithPip } from './pip/install-pip.js';
export { choosePip, listWheels } from './pip/pip.js';
export { readRequirements } from './pip/requirements-file.js';
export { installByLink, installFromWheels } from './wheels/install-link.js';
export { WheelStore } from './wheels/wheel-store.js';
export { usesWheel } from './wheels/wheel-use.js';
export { asInstallError } from '../store/store-error.js';
