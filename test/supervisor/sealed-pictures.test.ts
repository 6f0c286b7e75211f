import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { InspectionResult } from '../../src/supervisor/types.js';
import { phasedSource, READ } from '../support/bundled-worker.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { temporaryFolder } from '../support/temp-folder.js';

const shape = { width: 64, height: 48 };
const picture = (value: number) => ({ data: new Uint8Array(64 * 48 * 3).fill(value), ...shape });
const target = { name: 'sample', version: '1.0.0' };
const debug = ({ data }: InspectionResult) => data.debug as Record<string, unknown>;

/** What an algorithm may try with each descriptor of a picture that is in its process; the errors of the system by name. */
const ATTACK = `import ctypes, errno, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
def punch(fd):
    if libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(4096)): raise OSError(ctypes.get_errno(), "")
def opened(flags):
    return lambda fd: os.close(os.open("/proc/self/fd/%d" % fd, flags))
def by_name(work):
    def run(fd):
        other = os.open("/proc/self/fd/%d" % fd, os.O_RDWR)
        try: work(other)
        finally: os.close(other)
    return run
WAYS = {"shorten": lambda fd: os.ftruncate(fd, 10), "lengthen": lambda fd: os.ftruncate(fd, 1 << 20),
        "write": lambda fd: os.pwrite(fd, b"x" * 500, 200), "map to write": lambda fd: mmap.mmap(fd, 0),
        "punch a hole": punch, "open cut off": opened(os.O_RDWR | os.O_TRUNC)}
WAYS.update({name + " by its name": by_name(way) for name, way in list(WAYS.items())[:5]})
def attack():
    got = {}
    for name in os.listdir("/proc/self/fd"):
        try: leads = os.readlink("/proc/self/fd/" + name)
        except OSError: continue
        if not leads.startswith("/memfd:"): continue
        for title, way in WAYS.items():
            try:
                way(int(name))
                got[title] = "done"
            except OSError as error:
                got[title] = errno.errorcode[error.errno]
    return got
`;
const TITLES = ['shorten', 'lengthen', 'write', 'map to write', 'punch a hole'];

/** Its child looks at the picture when a later call lets it, and tells what it sees. */
const HOLD = `import json, os, time
def child(image):
    while not os.path.exists(place("go")): time.sleep(0.01)
    with open(place("new"), "w") as file: json.dump(sorted(set(bytes(image))), file)
    os.rename(place("new"), place("seen"))
def place(name): return os.path.join(os.environ["TMPDIR"], name)
`;
const HOLDING = `${READ}now = sorted(set(bytes(image)))
if not user_params.get("ask"):
    if os.fork() == 0:
        child(image)
        os._exit(0)
    return ok(now=now)
open(place("go"), "w").close()
while not os.path.exists(place("seen")): time.sleep(0.01)
return ok(now=now, held=json.load(open(place("seen"))))`;

async function station(worker: 'sdk' | 'bundled', source: string) {
  const frames = new FramePool({ directory: await temporaryFolder() });
  onTestFinished(() => frames.close());
  const { registry, supervisor } = await openSupervised({ frames, worker });
  await deployVersion(registry, { source });
  const call = (value: number, userParams = {}) =>
    supervisor.execute({ target, stepIndex: 1, image: picture(value), userParams });
  return { frames, call };
}

describe.runIf(process.platform === 'linux').each(['sdk', 'bundled'] as const)('%s worker', (worker) => {
  test('the memory of a picture can be shortened, written and mapped for writing by no way, and serves on', async () => {
    const body = `${READ}tried = attack()\nreturn ok(tried=tried, seen=sorted(set(bytes(image))))`;
    const { frames, call } = await station(worker, phasedSource(body, ATTACK));
    expect((await frames.usage()).mapped).toBe(true);
    const ways = [...TITLES, 'open cut off', ...TITLES.map((title) => `${title} by its name`)];
    for (const value of [7, 8]) {
      const result = await call(value);
      expect(result.proof?.by).toBe('worker');
      const { tried, seen } = debug(result) as { tried: Record<string, string>; seen: number[] };
      expect(seen).toEqual([value]);
      expect(Object.keys(tried).sort()).toEqual(ways.sort());
      // A descriptor that is open for reading alone is refused as such (EACCES, EBADF, EINVAL), any other by the seals.
      expect(Object.values(tried)).not.toContain('done');
    }
  });

  test('a picture that a forked child still holds after the answer shows there what it showed', async () => {
    const { call } = await station(worker, phasedSource(HOLDING, HOLD));
    expect(debug(await call(7))).toEqual({ now: [7] });
    expect(debug(await call(8, { ask: true }))).toEqual({ now: [8], held: [7] });
  });
});
