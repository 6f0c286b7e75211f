import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { commandOf, wordsAfter, wordsBehind } from '../../src/cli/command-names.js';
import { runCli } from '../../src/cli/main.js';
import type { CommandSpec } from '../../src/cli/spec.js';

function command(name: string): CommandSpec {
  const run: Awaited<ReturnType<CommandSpec['load']>>['run'] = ({ words, out }) => {
    out.result({ name, words }, name);
    return Promise.resolve(undefined);
  };
  return {
    ...{ name, summary: `does ${name}`, examples: [name], load: () => Promise.resolve({ run }) },
    arguments: [{ usage: '[word]', summary: 'any' }],
  };
}

const COMMANDS = ['status', 'fleet status', 'fleet halt', 'logs'].map(command);
const GROUPS = { fleet: 'many stations' };

async function runLine(...argv: string[]) {
  const [stdout, stderr] = [new PassThrough().setEncoding('utf8'), new PassThrough().setEncoding('utf8')];
  const code = await runCli(
    {
      ...{ argv, stdout, stderr, cwd: '.', env: {}, stdin: Readable.from([]) },
      interrupted: new AbortController().signal,
    },
    COMMANDS,
    GROUPS,
  );
  return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

test('a command of two words runs by both, and a command of one word by its own', async () => {
  expect((await runLine('fleet', 'status', 'a')).stdout).toBe('fleet status\n');
  expect((await runLine('status', 'a')).stdout).toBe('status\n');
  expect((await runLine('fleet', 'halt', '--json')).stdout).toContain('"fleet halt"');
});

test('help names a group once, and the help of a group its commands', async () => {
  const { code, stdout } = await runLine('--help');
  expect([code, stdout.match(/fleet/g)?.length]).toEqual([0, 1]);
  expect(stdout).toContain('many stations');
  expect((await runLine('fleet', '--help')).stdout).toMatch(/status.*\n.*halt/);
});

test('a group alone, and a group with a wrong word, say which words there are', async () => {
  expect(await runLine('fleet')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('fleet takes one of these words: status, halt') as string,
  });
  expect(await runLine('fleet', 'statos')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Did you mean status?') as string,
  });
  expect((await runLine('fleet', 'logs')).stderr).toContain('See procvision-runner fleet --help');
});

test('a command is found by the words that stand first', () => {
  expect(commandOf(['fleet', 'status'], COMMANDS)?.name).toBe('fleet status');
  expect(commandOf(['--json', 'status', 'fleet'], COMMANDS)?.name).toBe('status');
  expect(commandOf(['fleet'], COMMANDS)).toBeUndefined();
  expect(wordsBehind(['fleet', 'status', 'a'], 'fleet status')).toEqual(['a']);
  expect(wordsBehind(['status', 'a'], 'status')).toEqual(['a']);
  expect(wordsAfter('fleet', COMMANDS)).toEqual(['status', 'halt']);
  expect(wordsAfter(undefined, COMMANDS)).toEqual(['status', 'fleet', 'logs']);
});
