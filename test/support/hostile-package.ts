import { buildPackage, buildWheel, wheelFileName, type BuiltWheel } from '../../src/testing/index.js';

/** When code of a package runs. */
export const MOMENTS = ['pth', 'import', 'constructor', 'setup', 'execute', 'teardown', 'atexit'] as const;

/** What it tries to do, each harmless where it succeeds: the test sees it, and puts it away. */
export const ATTEMPTS = [
  'write outside',
  'read another version',
  'see the network',
  'keep a daemon',
  'kill the watcher',
  'leave shared memory',
  'raise a limit',
  'see the environment of the host',
  "write another's byte code",
  'replace the interpreter',
] as const;

/** What the attempts aim at; told to the package when it is built. */
export interface Targets {
  /** File that each attempt adds a line to: JSON of where it ran, at which moment, what was tried, and how that went. */
  notes: string;
  /** Root of the store. */
  store: string;
  /** Folder of another version. */
  other: string;
  /** Port that a server of the host listens at. */
  port: number;
  /** Argument of each daemon. */
  mark: string;
  /** Process of the host, and a variable of its environment with its value. */
  host: number;
  secret: string;
}

/** A wheel whose `.pth` file runs the attempts, and a package whose algorithm does at every moment of its life. */
export async function hostilePackage(targets: Targets): Promise<Uint8Array> {
  const files = {
    'hostile.py': `import json\nAIMS = json.loads(${JSON.stringify(JSON.stringify(targets))})\n${ATTEMPT_CODE}`,
    'hostile.pth': 'import hostile; hostile.attempt("pth")\n',
  };
  const source = { name: 'hostile', version: '1.0', files };
  const wheel: BuiltWheel = { file: wheelFileName(source), bytes: await buildWheel(source) };
  return buildPackage({
    name: 'attacker',
    productIds: ['A01'],
    wheels: [wheel],
    requirements: 'procvision_algorithm_sdk\nhostile\n',
    files: { 'algorithm/__init__.py': '', 'algorithm/main.py': ALGORITHM },
  });
}

const ALGORITHM = `import atexit
import hostile
from procvision_algorithm_sdk import BaseAlgorithm

hostile.attempt("import")
atexit.register(hostile.attempt, "atexit")


class Algorithm(BaseAlgorithm):
    def __init__(self):
        super().__init__()
        hostile.attempt("constructor")

    def setup(self):
        hostile.attempt("setup")

    def teardown(self):
        hostile.attempt("teardown")

    def get_info(self):
        return {"name": "attacker", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}

    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}

    def execute(self, *call):
        hostile.attempt("execute")
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": []}}
`;

/** Each attempt gives None when it was held, or what it got. */
const ATTEMPT_CODE = `
import os
import sys


def write_outside():
    for path in (os.path.join(AIMS["store"], "registry.json"), os.path.join(AIMS["store"], "algorithms", "left")):
        try:
            with open(path, "a"):
                return "wrote " + path
        except OSError:
            pass


def read_another_version():
    try:
        return os.listdir(AIMS["other"])
    except OSError:
        return None


def see_the_network():
    import socket

    with socket.socket() as client:
        client.settimeout(2)
        try:
            client.connect(("127.0.0.1", AIMS["port"]))
            return "connected"
        except OSError:
            return None


def keep_a_daemon():
    if os.fork():
        os.wait()
        return None
    os.setsid()
    if os.fork():
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.execve(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(600)", AIMS["mark"]], {})


def kill_the_watcher():
    watcher = os.getppid() or 1
    for number in (15, 9):
        try:
            os.kill(watcher, number)
        except OSError:
            pass
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return None


def leave_shared_memory():
    import _posixshmem

    name = "/" + AIMS["mark"] + "-%d-%d" % (os.getpid(), len(os.listdir("/dev/shm")))
    descriptor = _posixshmem.shm_open(name, os.O_CREAT | os.O_RDWR, mode=0o600)
    os.ftruncate(descriptor, 4096)
    os.close(descriptor)


def raise_a_limit():
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, most + 1))
        return "more than %d files" % most
    except (OSError, ValueError):
        pass
    try:
        return "niceness %d" % os.nice(-1)
    except OSError:
        return None


def see_the_environment_of_the_host():
    if AIMS["secret"] in os.environ.values():
        return "inherited"
    for process in (AIMS["host"], os.getppid()):
        try:
            with open("/proc/%d/environ" % process, "rb") as file:
                if AIMS["secret"].encode() in file.read():
                    return "read of process %d" % process
        except OSError:
            pass


def write_byte_code_of_another():
    folder = os.path.join(AIMS["other"], "__pycache__")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "main.pyc"), "wb"):
            return "wrote"
    except OSError:
        return None


def replace_the_interpreter():
    here = os.path.dirname(sys.executable)
    for path in (sys.executable, os.path.join(os.path.dirname(here), "pyvenv.cfg"), os.path.realpath(sys.executable)):
        copy = os.path.join(os.path.dirname(path), "copy-of-" + os.path.basename(path))
        try:
            os.symlink(path, copy)
        except OSError:
            continue
        os.remove(copy)
        return "could write beside " + path


WAYS = [write_outside, read_another_version, see_the_network, keep_a_daemon, kill_the_watcher, leave_shared_memory,
        raise_a_limit, see_the_environment_of_the_host, write_byte_code_of_another, replace_the_interpreter]


def attempt(moment):
    # The script that the interpreter runs: the trial gives sys.argv the look of a worker's.
    where = os.path.basename(getattr(sys.modules["__main__"], "__file__", None) or "?")
    if os.environ.get("HOSTILE_MODE") == "child":
        return
    os.environ["HOSTILE_MODE"] = "child"  # interpreters that it starts run the .pth too
    for number, way in enumerate(WAYS):
        if way is kill_the_watcher and os.environ.get("HOSTILE_SPARES"):
            continue
        try:
            got = way()
        except Exception as fault:
            got = "%s: %s" % (type(fault).__name__, fault)
        with open(AIMS["notes"], "a") as file:
            file.write(json.dumps([where, moment, number, got]) + "\\n")
    del os.environ["HOSTILE_MODE"]
`;
