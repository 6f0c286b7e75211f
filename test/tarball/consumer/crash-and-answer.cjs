// What a scripted worker of the test kit comes to that crashes in its first call. Takes the kit, however it was loaded.
module.exports = async function crashAndAnswer({ FakeWorker, TemporaryStore }) {
  const store = await TemporaryStore.open();
  try {
    const fake = new FakeWorker();
    const target = await store.deploy({ worker: fake });
    fake.answerOnce('execute', (call) => call.process.exit(9));
    const image = { data: new Uint8Array(12), width: 2, height: 2 };
    const { status, attempts } = await store.supervise().execute({ target, stepIndex: 1, image });
    return { status, attempts, processes: fake.processes.length };
  } finally {
    await store.close();
  }
};
