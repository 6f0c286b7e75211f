"""Keeps stdin and stdout of the protocol for the protocol alone.

Executed by launch.py before anything of a package is. The two pipes get descriptors of their own, which no program
that is started inherits and no forked child keeps. Descriptor 0 is at its end, 1 and 2 lead to the log: that is what
the algorithm, its children and native code read and print to.

Between the launcher and the host, before the worker's hello: `{"type": "launcher", "log_pipe": n | null}`, on Windows with
`"report": {"pid", "bounds"}`, which elsewhere comes on a descriptor of its own, and back
`{"type": "launcher", "log_pipe": true | false, "max_frame_bytes": n}`, whether the host reads that pipe (log_pipe.py).
"""
import io
import os
import sys


class ProtocolPipes:
    """`reader`: a descriptor. `output`: an Output.

    Made first of all, by the process that the host knows; `take()` comes before any code of the package, in the process
    that is the worker.
    """

    def __init__(self, log, report=None, platform=sys.platform):
        self._log, self._windows = log, platform == "win32"
        said = b'{"type":"launcher","log_pipe":%s}' % (b"null" if log.descriptor is None else b"%d" % log.descriptor)
        if report is not None:
            import json

            said = said[:-1] + b',"report":%s}' % json.dumps(report).encode()
        os.write(1, len(said).to_bytes(4, "big") + said)

    def take(self, ready):
        """`ready`: called when the first message is written, which is the hello: the algorithm comes after it."""
        self.reader, writer = os.dup(0), os.dup(1)
        if self._windows:
            import msvcrt

            for descriptor in (self.reader, writer):
                msvcrt.setmode(descriptor, os.O_BINARY)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        order = self._order()
        self._log.settle(order.get("log_pipe") is True)
        self.output = Output(writer, order.get("max_frame_bytes"), ready)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: self._forget(writer))
        return self

    def _order(self):
        import json

        def exactly(count):
            data = b""
            while len(data) < count:
                chunk = os.read(self.reader, count - len(data))
                if not chunk:
                    return b""  # the host is gone: what follows finds its input at the end
                data += chunk
            return data

        return json.loads(exactly(int.from_bytes(exactly(4), "big")).decode() or "{}")

    def _forget(self, writer):
        """In a forked child: it takes no call and gives no answer, should it ever come back from the algorithm."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (self.reader, writer):
            os.dup2(nothing, descriptor, False)
        os.close(nothing)

    @staticmethod
    def describe(fault):
        return describe(fault)

    def adapter_globals(self, package, tap):
        """For the module that is the SDK's adapter, and the other modules of its package: their `sys` and `os` are those
        of everybody but for the two pipes.

        SDK 0.0.x reads `sys.stdin.buffer` and writes `sys.stdout.buffer` in each call, 0.3 writes to a duplicate of
        descriptor 1. `tap` makes the stream that is read from another. What an algorithm makes of its own `sys.stdout` is no matter of theirs.
        """
        import builtins
        import types

        pipes = {0: self.reader, 1: self.output.descriptor}
        outputs = {1: self.output}

        def instead_of(module, **own):
            other = types.ModuleType(module.__name__)
            other.__dict__.update(own, __getattr__=lambda name: getattr(module, name))
            return other

        def dup(descriptor):
            copy = os.dup(pipes.get(descriptor, descriptor))
            if descriptor == 1:
                outputs[copy] = self.output
            return copy

        def fdopen(descriptor, *args, **more):
            return outputs.get(descriptor) or os.fdopen(pipes.get(descriptor, descriptor), *args, **more)

        def read(descriptor, count):
            return os.read(pipes.get(descriptor, descriptor), count)

        def write(descriptor, data):
            return self.output.send(data) if descriptor == 1 else os.write(descriptor, data)

        incoming = tap(io.BufferedReader(io.FileIO(self.reader, "rb", closefd=False)))
        modules = {
            "sys": instead_of(sys, stdin=Stream("stdin", self.reader, incoming),
                              stdout=Stream("stdout", self.output.descriptor, self.output)),
            "os": instead_of(os, dup=dup, fdopen=fdopen, read=read, write=write),
        }

        def bring(name, *args, **more):
            return modules.get(name) or builtins.__import__(name, *args, **more)

        own = {"__builtins__": dict(vars(builtins), __import__=bring)}
        sys.meta_path.insert(0, PackageFinder(package, own))
        return own


def describe(fault):
    """What the host gets of an exception: `{"type", "message", "file", "line", "traceback"}`.

    The traceback begins in the algorithm's folder: what called it is ours or the SDK's, and no news.
    """
    try:
        from traceback import format_exception
    except Exception:  # it is loaded when it is needed, and may not load: too few descriptors may be the very fault
        format_exception = without_sources

    folder = os.getcwd() + os.sep

    def is_own(file):
        foreign = "site-packages" in file or "%sprocvision_algorithm_sdk%s" % (os.sep, os.sep) in file
        return file.startswith(folder) and not foreign  # the environment lies in the algorithm's folder

    places = fault.__traceback__
    while places is not None and not is_own(places.tb_frame.f_code.co_filename):
        places = places.tb_next
    try:
        text = "".join(format_exception(type(fault), fault, places or fault.__traceback__)).rstrip()
    except Exception:
        text = ""  # its own text raises, or that of what it came of
    try:
        message = str(fault)
    except Exception:
        message = ""
    clipped = text if len(text) <= MOST_TRACEBACK else "…" + text[-MOST_TRACEBACK:]
    described = {"type": type(fault).__name__, "message": message, "traceback": clipped}
    frames = frames_of(places or fault.__traceback__)
    if frames:
        file, line, _ = next((frame for frame in reversed(frames) if is_own(frame[0])), frames[-1])
        described.update(file=file, line=line)
    return described


def frames_of(places):
    """File, line and function of each, the last one last."""
    frames = []
    while places is not None:
        code = places.tb_frame.f_code
        frames.append((code.co_filename, places.tb_lineno, code.co_name))
        places = places.tb_next
    return frames


def without_sources(kind, fault, places):
    """As `traceback.format_exception`, by what is in memory alone."""
    lines = ['  File "%s", line %d, in %s\n' % frame for frame in frames_of(places)]
    return ["Traceback (most recent call last):\n"] + lines + ["%s: %s\n" % (kind.__name__, fault)]


MOST_TRACEBACK = 16384


def with_exception(data, fault):
    """An `error` frame of the SDK's adapter, which sends the text of the exception that it handles and no more."""
    import json

    try:
        message = json.loads(data[4:].decode())
        if message.get("type") != "error" or "raised" in message:
            return data
        message["raised"] = describe(fault)
        body = json.dumps(message).encode()
        return len(body).to_bytes(4, "big") + body
    except Exception:
        return data


class PackageFinder:
    """Finds the modules of a package as Python does, and starts each with these globals."""

    def __init__(self, package, own):
        self._package, self._own = package, own

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != self._package:
            return None
        import importlib.machinery

        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        run = getattr(spec and spec.loader, "exec_module", None)
        if run:
            def run_with_own(module):
                module.__dict__.update(self._own)
                run(module)

            spec.loader.exec_module = run_with_own
        return spec


class Stream:
    """A text stream of `sys` with another `buffer`."""

    def __init__(self, name, descriptor, buffer):
        self._name, self._descriptor, self.buffer = name, descriptor, buffer

    def fileno(self):
        return self._descriptor

    def __getattr__(self, name):
        return getattr(getattr(sys, self._name), name)


class Output:
    """Writes frames whole, whatever signals come and however slowly they are read.

    A signal cuts a write short, and a handler of the algorithm may raise before the rest is written. io.BufferedWriter
    keeps what was not written, as long as the frame fits into it.
    """

    SIZE = 1 << 16

    def __init__(self, descriptor, most_bytes=None, ready=None):
        self.descriptor, self._most, self._ready = descriptor, most_bytes, ready
        self._grow(self.SIZE)

    def limit(self, most_bytes):
        """Largest frame, in bytes."""
        self._most = most_bytes

    def _grow(self, size):
        self._size = size
        self._buffer = io.BufferedWriter(io.FileIO(self.descriptor, "wb", closefd=False), size)

    def write(self, data):
        if self._ready:
            ready, self._ready = self._ready, None
            ready()
        fault = sys.exc_info()[1]  # what the caller is in the middle of handling
        if fault is not None and b'"error"' in data[:32]:
            data = with_exception(data, fault)
        if self._most is not None and len(data) > self._most + 4 and int.from_bytes(data[:4], "big") == len(data) - 4:
            said = b'{"type":"too_large","bytes":%d,"limit":%d}' % (len(data) - 4, self._most)
            data = len(said).to_bytes(4, "big") + said
        if len(data) > self._size:
            self.flush()
            self._grow(len(data))
        return self._buffer.write(data)

    def flush(self):
        interrupted = None
        while True:
            try:
                self._buffer.flush()
                break
            except OSError as fault:
                if fault.errno is not None:
                    raise  # the pipe is broken; otherwise a handler raised it
            except Exception:
                pass  # a handler that meant the algorithm, which is done
            except BaseException as fault:
                interrupted = fault
        if interrupted is not None:
            raise interrupted

    def send(self, data):
        self.write(data)
        self.flush()
        return len(data)

    def close(self):
        self.flush()
