import { describe, expect, test } from 'vitest';
import { obeyingWorker } from '../support/obeying-worker.js';

const KINDS = [
  ['sdk', 'phased'],
  ['sdk', 'execute-only'],
  ['bundled', 'phased'],
  ['bundled', 'execute-only'],
] as const;

describe.runIf(process.platform !== 'win32').each(KINDS)('the %s worker, %s', (flavour, generation) => {
  test('whatever the algorithm prints, by whatever way, goes to its log and costs no answer', async () => {
    const { run, logs, odd } = await obeyingWorker(flavour, generation);
    const ways: [way: string, code: string][] = [
      ['print', 'print("said: print")'],
      ['a write to descriptor 1', 'os.write(1, b"said: a write to descriptor 1\\n")'],
      ['the buffer', 'sys.stdout.buffer.write(b"said: the buffer\\n"); sys.stdout.buffer.flush()'],
      ['C', 'libc.puts(b"said: C"); libc.fflush(None)'],
      ['a subprocess', 'subprocess.run(["echo", "said: a subprocess"])'],
      ['system', 'os.system("echo said: system")'],
      [
        'a forked child',
        'if os.fork() == 0: print("said: a forked child", flush=True); os._exit(0)\nos.wait()',
      ],
      ['/dev/stderr', 'open("/dev/stderr", "w").write("said: /dev/stderr\\n")'],
      ['/dev/stdout', 'open("/dev/stdout", "w").write("said: /dev/stdout\\n")'],
      ['/proc/self/fd/2', 'open("/proc/self/fd/2", "a").write("said: /proc/self/fd/2\\n")'],
      ['a shell', 'subprocess.run("echo said: a shell > /dev/stderr", shell=True, check=True)'],
    ];
    for (const [way, code] of ways)
      expect({ way, status: (await run(code)).status }).toEqual({ way, status: 'OK' });
    const said = () => logs.map(({ message }) => message).filter((line) => line.startsWith('said: '));
    await expect.poll(() => said().sort()).toEqual(ways.map(([way]) => `said: ${way}`).sort());
    await run(
      'os.write(1, bytes(5)); os.write(1, "warn\\n".encode("utf-16-le")); os.write(1, b"\\0\\0\\0\\x20{")',
    );
    expect((await run('debug["n"] = 1')).data.debug).toEqual({ n: 1 });
    expect(odd).toEqual([]);
  });

  test('stdin is at its end for the algorithm, its children and C, and none of them takes the next call', async () => {
    const { run, odd } = await obeyingWorker(flavour, generation);
    const code = `
debug["python"] = sys.stdin.read()
debug["descriptor"] = len(os.read(0, 10))
debug["child"] = len(subprocess.run(["cat"], stdout=subprocess.PIPE).stdout)
debug["c"] = libc.read(0, ctypes.create_string_buffer(9), 9)
debug["file"] = open("/dev/stdin").read()`;
    for (let call = 0; call < 3; call++) {
      expect((await run(code)).data.debug).toEqual({ python: '', descriptor: 0, child: 0, c: 0, file: '' });
    }
    expect(odd).toEqual([]);
  });

  test('an algorithm that replaces, captures or closes its streams is answered for all the same', async () => {
    const { run, odd } = await obeyingWorker(flavour, generation);
    for (const code of [
      'with contextlib.redirect_stdout(io.StringIO()) as out: print("captured"); debug["n"] = 1',
      'sys.stdout = io.StringIO(); debug["n"] = 1',
      'sys.stdin = io.StringIO("nothing"); debug["n"] = 1',
      'sys.__stdout__.close(); sys.__stdin__.close(); debug["n"] = 1',
      'os.dup2(os.open(os.devnull, os.O_WRONLY), 1); debug["n"] = 1',
      'os.close(0); os.close(1); debug["n"] = 1',
      'debug["n"] = 1',
    ]) {
      expect({ code, debug: (await run(code)).data.debug }).toEqual({ code, debug: { n: 1 } });
    }
    expect(odd).toEqual([]);
  });

  test('a forked child that comes back from the algorithm answers no call and takes none', async () => {
    const { run, odd } = await obeyingWorker(flavour, generation);
    for (let call = 0; call < 3; call++) {
      expect((await run(`debug["n"] = ${call}\nos.fork()`)).data.debug).toEqual({ n: call });
    }
    expect(odd).toEqual([]);
  });

  test('a long answer is whole under a hail of signals, and one whose handler raises while it is written', async () => {
    const { run, odd } = await obeyingWorker(flavour, generation);
    const hail = `
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
debug["text"] = "x" * 1500000`;
    const late = `
signal.setitimer(signal.ITIMER_REAL, 0)
def handler(*_): raise TimeoutError("too late")
signal.signal(signal.SIGALRM, handler)
main = threading.get_ident()
def interrupt():
    while sys._current_frames()[main].f_code.co_name != "flush": time.sleep(0.001)
    signal.pthread_kill(main, signal.SIGALRM)
threading.Thread(target=interrupt).start()
debug["text"] = "x" * 1500000`;
    for (const code of [hail, hail, late, late]) {
      const call = run(code);
      const until = performance.now() + 150; // the host reads nothing while it does this
      while (performance.now() < until);
      const { status, message, data } = await call;
      expect({ status, message }).toEqual({ status: 'OK', message: '' });
      expect((data.debug as { text: string }).text).toHaveLength(1_500_000);
    }
    expect(odd).toEqual([]);
  });

  test('numbers that a double cannot hold are told by their paths', async () => {
    const { run } = await obeyingWorker(flavour, generation);
    const reply = await run(
      'debug.update(nan=float("nan"), low=[1, -float("inf")], big=10**400, id=9007199254740993, n=2**53 - 1, text="NaN")',
    );
    expect(reply.data.debug).toEqual({
      nan: null,
      low: [1, null],
      big: null,
      id: '9007199254740993',
      n: 2 ** 53 - 1,
      text: 'NaN',
    });
    expect(reply.nonFinite.sort()).toEqual(['data.debug.big', 'data.debug.low.1', 'data.debug.nan']);
    expect(reply.bigIntegers).toEqual(['data.debug.id']);
  });

  test('an answer of 17 MiB fails its call at once, with its size and the remedy', async () => {
    const { run } = await obeyingWorker(flavour, generation);
    await expect(run('debug["text"] = "x" * (17 << 20)')).rejects.toMatchObject({
      code: 'protocol_error',
      message: expect.stringMatching(
        /a frame of 178\d{5} bytes, over the ceiling of 2097152: .*maxFrameBytes/,
      ) as string,
    });
  });
});
