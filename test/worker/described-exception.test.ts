import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';

/** Describes an exception where the module `traceback` is not loaded; the rest is done before. */
const DESCRIBE = (before: string) => `import io, os, sys
names = {}
exec(open(${JSON.stringify(assetPath('worker/protocol_pipes.py'))}).read(), names)
def execute():
    raise OSError(24, "Too many open files")
try:
    execute()
except OSError as error:
    fault = error
assert "traceback" not in sys.modules
${before}
found = names["describe"](fault)
sys.stdout.write(repr([found["type"], found["message"], found["line"], found["traceback"]]))
`;

const describe = (before: string) =>
  execFileSync('python3', ['-I', '-S', '-c', DESCRIBE(before)], { encoding: 'utf8' });

test.skipIf(process.platform === 'win32')(
  'an exception is described also where no file can be opened, as the very exception says',
  () => {
    const without = describe(
      'import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))',
    );
    const message = '[Errno 24] Too many open files';
    const lines = ['Traceback (most recent call last):', '  File "<string>", line 7, in <module>'];
    lines.push('  File "<string>", line 5, in execute', `OSError: ${message}`);
    expect(without).toBe(`['OSError', '${message}', 5, '${lines.join('\\n')}']`);
    expect(describe('')).toBe(without);
  },
);
