/** The process that is killed: runs one scenario's operation, following a plan. Prints how many steps it took. */
import { countSteps, type StepPlan } from './fs-steps.js';
import { killScenarios, storeFolder } from './kill-scenarios.js';

const [, , name = '', root = '', plan = ''] = process.argv;
const scenario = killScenarios[name];
if (!scenario) throw new Error(`There is no scenario ${name}`);
const steps = countSteps(storeFolder(root), JSON.parse(plan) as StepPlan);
let failure: unknown;
await scenario.operate(root).catch((error: unknown) => {
  failure = error;
});
const { code, message, cause } = (failure ?? {}) as {
  code?: string;
  message?: string;
  cause?: { code?: string };
};
process.stdout.write(JSON.stringify({ steps: steps(), code, message, cause: cause?.code }));
