// What an import of everything leaves behind.
const signals = () => ['SIGINT', 'SIGTERM', 'SIGHUP', 'exit'].map((name) => process.listenerCount(name));
const before = { signals: signals(), globals: Object.keys(globalThis), emit: process.emit };
await import('procvision-runner');
await import('procvision-runner/http');
await import('procvision-runner/signing');
await import('procvision-runner/fleet');
await import('procvision-runner/outbox');
await import('procvision-runner/telemetry');
await import('procvision-runner/testing');
process.stdout.write(
  JSON.stringify({
    sameListeners: signals().join() === before.signals.join(),
    sameGlobals: Object.keys(globalThis).join() === before.globals.join(),
    sameEmit: process.emit === before.emit,
    // The output, and requests of the loader itself that are still on their way, are not the library's.
    resources: process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|Req/.test(name)),
  }),
);
