/** What people write by hand: a kept file in /dev/shm and a line of JSON, or the bytes over the pipe. */
import { open } from 'node:fs/promises';
import { numpyPython } from './environments.js';
import type { Peer } from './peer.js';
import { LineWorker } from './processes.js';
import { WorkerQueue } from './queue.js';
import { sharedName } from './shared-memory.js';

export const handWrittenFiles: Peer = {
  name: 'by hand, /dev/shm',
  prepare: numpyPython,
  async start(context, workers) {
    const python = await numpyPython(context);
    const all = Array.from({ length: workers }, () => new LineWorker(python, ['files.py']));
    const queue = new WorkerQueue(all);
    return {
      load: (pictures) =>
        Promise.all(
          pictures.map(async ({ data, width, height }) => {
            const path = sharedName(context);
            const file = await open(path, 'w+');
            context.onClose(() => file.close());
            return async () => {
              let at = 0;
              while (at < data.length) at += (await file.write(data, at, data.length - at, at)).bytesWritten;
              const line = `${JSON.stringify({ path, width, height })}\n`;
              return queue.run((worker) => worker.ask((stdin) => stdin.write(line)));
            };
          }),
        ),
      close: () => Promise.all(all.map((worker) => worker.process.close())),
    };
  },
};

export const rawPipe: Peer = {
  name: 'by hand, raw pipe',
  prepare: numpyPython,
  async start(context, workers) {
    const python = await numpyPython(context);
    const all = Array.from({ length: workers }, () => new LineWorker(python, ['raw.py']));
    const queue = new WorkerQueue(all);
    return {
      load: (pictures) =>
        Promise.resolve(
          pictures.map(({ data, width, height }) => {
            const head = Buffer.alloc(12);
            [data.length, width, height].forEach((value, index) => head.writeUInt32LE(value, index * 4));
            return () =>
              queue.run((worker) =>
                worker.ask((stdin) => {
                  stdin.cork();
                  stdin.write(head);
                  stdin.write(data);
                  stdin.uncork();
                }),
              );
          }),
        ),
      close: () => Promise.all(all.map((worker) => worker.process.close())),
    };
  },
};
