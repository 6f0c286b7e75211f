import { expect, onTestFinished, test, vi } from 'vitest';
import { main } from '../../src/cli/process.js';
import { temporaryFolder } from '../support/temp-folder.js';

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const)(
  '%s asks a command to end, which then exits with 130',
  async (signal) => {
    const quiet = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const before = process.exitCode;
    onTestFinished(() => {
      process.exitCode = before;
      quiet.mockRestore();
    });
    const ended = main(['recover', '--root', await temporaryFolder()]);
    process.emit(signal, signal);
    await ended;
    expect(process.exitCode).toBe(130);
    expect(process.listenerCount(signal)).toBe(0);
  },
);
