import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { signalRemains, signalTree, type TreeOptions } from '../../src/process/tree.js';
import { pyLauncherPlaces, windowsProgram } from '../../src/process/windows-programs.js';
import { KILLED_BY_ID } from '../support/platform.js';

test.each([
  ['is missing', { taskkill: ['/nowhere/taskkill.exe'] }],
  ['fails', { taskkill: [process.execPath, '-e', 'process.exit(1)'] }],
  ['hangs', { taskkill: [process.execPath, '-e', 'setInterval(() => {}, 1000)'], patienceMs: 200 }],
] satisfies [string, TreeOptions][])(
  'a process of Windows ends by itself where taskkill %s',
  async (_how, options) => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const ended = once(child, 'exit');
    signalTree(child.pid ?? 0, 'SIGKILL', { platform: 'win32', ...options });
    expect(await ended).toEqual(KILLED_BY_ID);
  },
);

test('a process of Windows that taskkill ends, or does not find, is left to it', async () => {
  const calls: string[] = [];
  const options = { platform: 'win32', endAlone: () => calls.push('alone') } as const;
  for (const code of [0, 128]) {
    const helper = [process.execPath, '-e', `process.exitCode = ${code}`] as const;
    signalTree(4_000_000, 'SIGKILL', { ...options, taskkill: helper });
  }
  signalTree(4_000_000, 'SIGKILL', {
    ...options,
    taskkill: [process.execPath, '-e', 'process.exitCode = 1'],
  });
  await expect.poll(() => calls).toEqual(['alone']);
});

test('an id that no child has is sent no signal: of a group it would reach this one, the first process or all', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  try {
    for (const id of [0, 1, -1, NaN]) {
      signalTree(id, 'SIGKILL', { platform: 'linux' });
      signalRemains(id, 'linux');
    }
    expect(kill).not.toHaveBeenCalled();
  } finally {
    kill.mockRestore();
  }
  for (const id of [0, 1, -1]) expect(() => process.kill(id, 0)).toThrow('is not there');
});

test('what is left of a process that has ended is looked for on POSIX alone: on Windows its id may be another process', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  try {
    signalRemains(4_000_000, 'win32');
    expect(kill).not.toHaveBeenCalled();
    signalRemains(4_000_000, 'linux');
    expect(kill).toHaveBeenCalledWith(-4_000_000, 'SIGKILL');
  } finally {
    kill.mockRestore();
  }
});

test('programs of Windows are named by their path, whatever the case of the variables, and never relative to a folder', () => {
  expect(windowsProgram('taskkill.exe', { SYSTEMROOT: 'D:\\Win' })).toBe('D:\\Win\\System32\\taskkill.exe');
  expect(windowsProgram('taskkill.exe', { SystemRoot: '', windir: 'E:\\Win' })).toBe(
    'E:\\Win\\System32\\taskkill.exe',
  );
  expect(windowsProgram('taskkill.exe', { SystemRoot: 'here' })).toBe('C:\\Windows\\System32\\taskkill.exe');
  expect(pyLauncherPlaces({ SystemRoot: 'C:\\Windows', LocalAppData: 'C:\\U\\Local' })).toEqual([
    'C:\\Windows\\py.exe',
    'C:\\U\\Local\\Programs\\Python\\Launcher\\py.exe',
    'C:\\U\\Local\\Microsoft\\WindowsApps\\py.exe',
  ]);
});
