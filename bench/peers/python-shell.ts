/** The npm package python-shell at its best: JSON messages that name a kept file in /dev/shm. */
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { bareEnvironment } from '../support/pythons.js';
import { npmPackage, numpyPython } from './environments.js';
import type { Peer } from './peer.js';
import { PYTHON_FILES } from './processes.js';
import { WorkerQueue } from './queue.js';
import { sharedName } from './shared-memory.js';

const VERSION = '5.0.0';

/** What is used of it. */
interface Shell {
  send: (message: object) => unknown;
  on: (event: 'message' | 'error' | 'pythonError', listener: (value: unknown) => void) => unknown;
  kill: () => unknown;
}
type ShellClass = new (script: string, options: object) => Shell;

class ShellWorker {
  readonly shell: Shell;
  #settle: { resolve: (mean: number) => void; reject: (error: unknown) => void } | undefined;

  constructor(PythonShell: ShellClass, python: string) {
    this.shell = new PythonShell('files.py', {
      ...{ mode: 'json', pythonPath: python, scriptPath: PYTHON_FILES, cwd: PYTHON_FILES },
      env: bareEnvironment({ PYTHONPATH: PYTHON_FILES, PYTHONDONTWRITEBYTECODE: '1' }),
    });
    this.shell.on('message', (answer) => this.#settle?.resolve((answer as { mean: number }).mean));
    for (const event of ['error', 'pythonError'] as const) {
      this.shell.on(event, (error) => this.#settle?.reject(error));
    }
  }

  ask(message: object): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.shell.send(message);
    });
  }
}

export const pythonShell: Peer = {
  name: `python-shell ${VERSION}`,
  async prepare(context) {
    await npmPackage(context, 'python-shell', VERSION);
    await numpyPython(context);
  },
  async start(context, workers) {
    const folder = await npmPackage(context, 'python-shell', VERSION);
    const require = createRequire(path.join(folder, 'package.json'));
    const { PythonShell } = require(folder) as { PythonShell: ShellClass };
    const python = await numpyPython(context);
    const all = Array.from({ length: workers }, () => new ShellWorker(PythonShell, python));
    const queue = new WorkerQueue(all);
    return {
      load: (pictures) =>
        Promise.all(
          pictures.map(async ({ data, width, height }) => {
            const file = sharedName(context);
            const handle = await open(file, 'w+');
            context.onClose(() => handle.close());
            return async () => {
              let at = 0;
              while (at < data.length)
                at += (await handle.write(data, at, data.length - at, at)).bytesWritten;
              return queue.run((worker) => worker.ask({ path: file, width, height }));
            };
          }),
        ),
      close: () => Promise.all(all.map(({ shell }) => shell.kill())),
    };
  },
};
