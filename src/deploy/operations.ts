/** What a deployer works with, loaded at its first operation. */
export { Discovery } from './discovery/discovery.js';
export { installPackage } from './install/install.js';
export { restorePackage } from './install/restore.js';
export { packageSteps } from './package-steps.js';
export { plannedPrune, pruneVersions } from './prune/prune.js';
export { tidyWheels, removingWheelsOnFailure } from './prune/shared-wheels.js';
export { recoverStore } from './transaction/recovery.js';
export { removeVersion } from './uninstall.js';
export { verifyVersion } from './verify-version.js';
