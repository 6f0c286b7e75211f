import { expect, test } from 'vitest';
import { holdersIn, loadWindowsCalls, windowsCalls } from '../../src/process/windows-calls.js';

/** RM_PROCESS_INFO, by restartmanager.h: DWORD id, FILETIME start, WCHAR[256] name, WCHAR[64] service, four numbers. */
function infoOf(id: number, name: string): Buffer {
  const info = Buffer.alloc(4 + 8 + 512 + 128 + 16);
  info.writeUInt32LE(id);
  info.write(name, 12, 'utf16le');
  return info;
}

test('the answer of the Restart Manager gives the programs by name and process id', () => {
  const infos = Buffer.concat([infoOf(4242, 'Windows Explorer'), infoOf(7, 'é 检测'), infoOf(8, '')]);
  const found = ['Windows Explorer (process 4242)', 'é 检测 (process 7)', 'a program (process 8)'];
  expect(holdersIn(infos, 3)).toEqual(found);
  expect(holdersIn(infos, 1)).toEqual(found.slice(0, 1));
  expect(holdersIn(infos, 99)).toEqual(found);
});

test('Windows is asked on Windows alone, and by koffi alone', () => {
  const load = () => {
    throw new Error('not installed');
  };
  expect(loadWindowsCalls('linux', () => expect.fail('koffi is not looked for'))).toBeUndefined();
  expect(loadWindowsCalls('win32', load)).toBeUndefined();
  if (process.platform !== 'win32') expect(windowsCalls()).toBeUndefined();
});

test('of a file that forty programs hold the first are named: of more than there is room for the system tells none', async () => {
  const functions: Record<string, (...args: unknown[]) => number> = {
    RmGetList: (...args) => {
      const [needed, count, infos] = args.slice(1) as [Buffer, Buffer, Buffer];
      const room = count.readUInt32LE();
      needed.writeUInt32LE(40);
      if (room < 40) return 234;
      count.writeUInt32LE(40);
      for (let id = 1; id <= 40; id++) infoOf(id, 'python').copy(infos, (id - 1) * 668);
      return 0;
    },
  };
  const func = (signature: string) => {
    const work = functions[/(\w+)\(/.exec(signature)?.[1] ?? ''] ?? (() => 0);
    return {
      async: (...args: unknown[]) => {
        const done = args.pop() as (error: null, result: number) => void;
        done(null, work(...args));
      },
    };
  };
  const calls = loadWindowsCalls('win32', () => ({ load: () => ({ func }) }));
  const holders = await calls?.holders('C:\\store\\a.dll');
  expect(holders).toHaveLength(16);
  expect(holders?.[0]).toBe('python (process 1)');
});
