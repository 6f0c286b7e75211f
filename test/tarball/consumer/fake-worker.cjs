// The same as fake-worker.mjs, as CommonJS.
const { FakeWorker, TemporaryStore } = require('procvision-runner/testing');

async function main() {
  const store = await TemporaryStore.open();
  try {
    const fake = new FakeWorker();
    const target = await store.deploy({ worker: fake });
    fake.answerOnce('execute', (call) => call.process.exit(9));
    const image = { data: new Uint8Array(12), width: 2, height: 2 };
    const { status, attempts } = await store.supervise().execute({ target, stepIndex: 1, image });
    process.stdout.write(JSON.stringify({ status, attempts, processes: fake.processes.length }));
  } finally {
    await store.close();
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
