// The ES module and the CommonJS copy of the package in one process, as when two libraries import it each its way.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import * as esm from 'procvision-runner';

const require = createRequire(import.meta.url);
const cjs = require('procvision-runner');
const caught = await cjs.openArchive(fileURLToPath(import.meta.url)).catch((error) => error);
process.stdout.write(
  JSON.stringify({
    sameNames: Object.keys(cjs).sort().join() === Object.keys(esm).sort().join(),
    sameClass: cjs.RunnerError === esm.RunnerError,
    isInstance: caught instanceof esm.RunnerError,
    isRunnerError: esm.RunnerError.is(caught, 'invalid_zip'),
  }),
);
