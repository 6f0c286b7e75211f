"""The life of the worker: hello, load, calls, shutdown."""
import importlib
import os
import sys
import time

from . import answers, batch, delivery, frames
from .answers import answer_to, error, frame_of, said
from .execute_only import ExecuteOnly
from .installed import version_of
from .phased import CAPABILITIES as PHASED_CAPABILITIES
from .phased import Phased
from .wire import Channel, ThreadedChannel, now_ms

COMMON_CAPABILITIES = ["ping", "call", "shutdown", "shared_memory:v1", "bundled:v1", "pong_during_call",
                       "mapped_frames", "error_code", "metrics", "batch", "batch_parts",
                       "kept_memory"]
_prepared = None


def prepare():
    """What comes before the import of the algorithm, which may take functions of the SDK by name: pictures come from the host.
    Once: a fork server does it for its workers. Gives the delivery of pictures, the SDK, and why there is none."""
    global _prepared
    if _prepared is None:
        pictures, sdk, missing = delivery.inherited(), None, None
        frames.use(pictures, maps=True)
        try:
            sdk = importlib.import_module("procvision_algorithm_sdk")
            sdk.BaseAlgorithm
        except Exception as fault:
            sdk, missing = None, fault
        else:
            frames.take_the_place_of(sdk)
        _prepared = pictures, sdk, missing
    return _prepared


def main(pipes, can_poll=os.name != "nt"):
    """`pipes`: the ProtocolPipes of the launcher. `can_poll`: whether the system tells if a pipe has something to read."""
    answers.describe = pipes.describe
    entry = entry_point(sys.argv[1:])
    channel = (Channel if can_poll else ThreadedChannel)(pipes.reader, pipes.output)
    pictures, sdk, missing = prepare()
    frames.map_from_now_on()
    phased = sdk is None or hasattr(sdk.BaseAlgorithm, "pre_execute")
    channel.send({"type": "hello", "sdk_version": version_of("procvision_algorithm_sdk") or "unknown",
                  "timestamp_ms": now_ms(),
                  "capabilities": COMMON_CAPABILITIES + (PHASED_CAPABILITIES if phased else ["execute"])})
    if sdk is None:
        refuse(channel, "the SDK of the package cannot be imported: %s" % missing, "1004")
        return
    try:
        algorithm = load(entry)
    except Exception as fault:
        refuse(channel, said(fault), "1000")
        return
    if phased:
        try:
            algorithm.setup()
        except Exception as fault:
            sys.__excepthook__(type(fault), fault, fault.__traceback__)  # loads no file, unlike the module traceback
            if os.environ.get("PROCVISION_SETUP_ERRORS") != "warn":
                refuse(channel, "setup() raised %s" % said(fault), "1004")
                return
    serve(channel, Phased(algorithm, sdk) if phased else ExecuteOnly(algorithm), pictures)


def entry_point(arguments):
    """argparse would do, and takes a tenth of the worker's own start."""
    if arguments[:1] == ["--entry"] and len(arguments) == 2:
        return arguments[1]
    return os.environ.get("PROC_ENTRY_POINT")


def load(entry):
    module, _, name = (entry or "").partition(":")
    if not name:
        raise ValueError("the entry point must be module:Class, not %r" % entry)
    sys.path.insert(0, os.getcwd())
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found()


def serve(channel, adapter, pictures):
    channel.start_watching()
    channel.idle = pictures.forget
    memory, waiting = Memory(), []
    while True:
        message = channel.receive()
        if message is None:
            adapter.close()
            return
        kind = message.get("type")
        if kind == "call":
            reply(channel, answer_to(message, adapter, memory, pictures))
        elif kind == "batch":
            waiting = batch.run(channel, message, adapter, memory, pictures, waiting)
        elif kind == "shutdown":
            adapter.close()
            channel.send({"type": "shutdown", "timestamp_ms": now_ms(), "status": "OK"})
            return


def reply(channel, answer):
    frames.end_call()
    channel.write(frame_of(channel, answer))


def refuse(channel, text, code):
    channel.send(error(None, text, code))


class Memory:
    """Resident memory of this process, where the system tells it without a search; looked up ten times a second at most."""

    INTERVAL = 0.1

    def __init__(self):
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
        self._last, self._due = None, 0.0
        try:
            self._file = os.open("/proc/self/statm", os.O_RDONLY)
        except OSError:
            self._file = None

    def rss_bytes(self):
        now = time.perf_counter()
        if self._file is not None and now >= self._due:
            self._last = int(os.pread(self._file, 128, 0).split()[1]) * self._page
            self._due = now + self.INTERVAL
        return self._last
