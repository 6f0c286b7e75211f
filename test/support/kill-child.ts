/** The process that is killed: runs one scenario's operation, following a plan. Prints which steps it took. */
import type { FileStepPlan } from '../../src/testing/file-steps/types.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { killScenarios, storeFolder } from './kill-scenarios.js';

const [, , name = '', root = '', plan = ''] = process.argv;
const scenario = killScenarios[name];
if (!scenario) throw new Error(`There is no scenario ${name}`);
const watch = watchFileSteps(storeFolder(root), JSON.parse(plan) as FileStepPlan);
let failure: unknown;
await scenario.operate(root).catch((error: unknown) => {
  failure = error;
});
const { code, message, cause } = (failure ?? {}) as {
  code?: string;
  message?: string;
  cause?: { code?: string };
};
process.stdout.write(
  JSON.stringify({ calls: watch.steps.map(({ call }) => call), code, message, cause: cause?.code }),
);
