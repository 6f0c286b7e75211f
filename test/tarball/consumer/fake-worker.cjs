// The same as fake-worker.mjs, as CommonJS.
const kit = require('procvision-runner/testing');
const crashAndAnswer = require('./crash-and-answer.cjs');

crashAndAnswer(kit).then(
  (outcome) => process.stdout.write(JSON.stringify(outcome)),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  },
);
