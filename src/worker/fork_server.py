"""Starts the workers of one version by forking (Linux): what the version imports is imported once, and each worker begins
behind it.

Executed by launcher.py, in the bounds of a worker. Only the import is shared: the algorithm is constructed in each worker,
because libraries lose their threads in a fork, and some (OpenMP in scikit-learn, torch) never answer once they were
used before it.

Frames as those of the worker protocol go between it and the host. From here: `{"type": "server", "unfit": text | null}`;
`{"type": "forked", "token": t, "keeper": process id, "pipes": [stdin, stdout, log, report]}`, descriptors
which the host opens by /proc; `{"type": "ended", "token": t, "code": n | null, "signal": n | null}`. From the host:
`{"type": "fork", "token": t, "max_frame_bytes": n, "channel": bool, "folders": [paths]}`, where the worker's end of its
channel for pictures comes over the server's own; `{"type": "opened", "token": t}`; `{"type": "signal", "token": t, "number": n}`.
"""
import gc
import os
import signal
import sys

TOKEN = "PROCVISION_WORKER"
KILLED = 9


class ForkServer:
    """`stages`: what the files of the bounds define, by name; `channel`: number of the descriptor that pictures come over, or
    None."""

    def __init__(self, pipes, order, in_force, stages, system, channel):
        self._pipes, self._order, self._stages, self._system = pipes, order, stages, system
        self._server = {"pid": os.getpid(), "in_force": in_force, "handlers": {}}
        self._channel = channel
        self._orders = None if channel is None else os.dup(channel)
        self._keepers = {}  # by process id: token, and the end of the pipe that says when all of it is gone
        self._open = {}  # by token: the host's ends of a worker's pipes, until it has opened them
        self._before = descriptors()

    def run(self, entry, modules):
        """Returns in each worker."""
        unfit = self._import(entry, modules)
        gc.collect()
        gc.freeze()
        handlers = self._server["handlers"]
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGHUP):
            handlers[number] = signal.getsignal(number) or signal.SIG_DFL
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        self._own = (reader, writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._say(type="server", unfit=unfit)
        import select

        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.register(self._pipes.reader, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == reader:
                    drain(reader)
                    self._bury()
                elif self._obey():
                    return

    def _import(self, entry, modules):
        """Imports, and gives what speaks against forking after it."""
        import importlib

        for name in modules:
            importlib.import_module(name)
        try:
            importlib.import_module(entry.partition(":")[0])
        except BaseException as fault:
            return "the import fails: %s: %s" % (type(fault).__name__, fault)
        return self._what_it_left() or self._stages["contain_fork"]["why_unfit"](self._order, self._server["in_force"])

    def _what_it_left(self):
        threading = sys.modules.get("threading")
        if threading and threading.active_count() > 1:
            return "the import starts a thread of Python, which a fork does not have"
        try:
            with open("/proc/self/task/%d/children" % os.getpid()) as file:
                if file.read().strip():
                    return "the import starts a process"
        except OSError:
            pass  # a kernel without that file
        for number, target in descriptors().items():
            if number in self._before:
                continue
            if target.startswith("socket:"):
                return "the import opens a connection"
            if target.startswith("/dev/") and not target.startswith(("/dev/null", "/dev/zero", "/dev/shm", "/dev/urandom",
                                                                      "/dev/random")):
                return "the import opens the device %s" % target
        return None

    def _say(self, **message):
        import json

        data = json.dumps(message).encode()
        self._pipes.output.send(len(data).to_bytes(4, "big") + data)

    def _read(self, count):
        data = b""
        while len(data) < count:
            chunk = os.read(self._pipes.reader, count - len(data))
            if not chunk:
                os._exit(0)  # the host wants the end, or is gone
            data += chunk
        return data

    def _obey(self):
        """Carries an order out. Whether this is a worker now."""
        import json

        order = json.loads(self._read(int.from_bytes(self._read(4), "big")).decode())
        kind = order["type"]
        if kind == "fork":
            return self._fork(order)
        if kind == "opened":
            close_all(self._open.pop(order["token"], ()))
        elif kind == "signal":
            for pid, (token, _) in self._keepers.items():
                if token == order["token"]:
                    os.kill(pid, order["number"])
        elif kind == "shutdown":
            os._exit(0)  # the keeper ends what is left
        return False

    def _fork(self, order):
        """Whether this is the worker."""
        import warnings

        token, made = order["token"], []
        try:
            # Python 3.12 and later warn of a fork beside threads, and raise that where the import has made errors of warnings.
            # The pools of numeric libraries see to it themselves. Of the algorithm's own forks its workers hear again.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                keeper, pipes, hosts, done, channel = self._fork_keeper(order, made)
        except OSError as fault:  # too many descriptors or processes: the workers that live go on
            close_all(made)
            os.write(2, ("A worker cannot be forked: %s\n" % fault).encode())
            self._say(type="ended", token=token, code=71, signal=None)  # EX_OSERR
            return False
        if keeper is None:
            self._become_worker(order, pipes, channel)
            return True
        close_all(number for number in made if number not in hosts and number != done)
        os.set_blocking(done, False)
        self._keepers[keeper] = token, done
        self._open[token] = hosts
        self._say(type="forked", token=token, keeper=keeper, pipes=hosts)
        return False

    def _fork_keeper(self, order, made):
        """The keeper's process id, or None in the worker; the worker's ends of its pipes, the host's, the end that tells
        when all is gone, and the descriptor of the channel. `made`: takes all descriptors that are made on the way."""
        channel = self._take_channel() if order.get("channel") else None
        made += () if channel is None else (channel,)
        ends = []
        for _ in range(5):
            ends.append(os.pipe())
            made += ends[-1]
        stdin, stdout, log, report, done = ends
        self._stages["log_pipe"]["enlarge"](log[1])
        hosts = (stdin[1], stdout[0], log[0], report[0])
        pipes = (stdin[0], stdout[1], log[1])
        os.environ[TOKEN] = order["token"]
        own = dict(self._order, report=report[1], pipes=pipes + (() if channel is None else (channel,)))
        if own.get("scratch"):
            own["scratch"] = dict(own["scratch"], folders=order.get("folders") or [])
        foreign = hosts + self._own + tuple(number for ends in self._open.values() for number in ends) + tuple(
            end for _, end in self._keepers.values()) + (done[0],) + (() if self._orders is None else (self._orders,))
        keeper = self._stages["contain_fork"]["fork_contained"](
            own, self._server, self._stages, self._system, foreign, (report[1], done[1]), lambda: os.write(done[1], b"1"))
        return keeper, pipes, hosts, done[0], channel

    def _take_channel(self):
        """The worker's end of its own channel: the host sends it before the order."""
        import array
        import socket

        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=os.dup(self._orders)) as orders:
            _, control, _, _ = orders.recvmsg(256, socket.CMSG_SPACE(4))
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                return array.array("i", data[:4])[0]
        return None

    def _become_worker(self, order, pipes, channel):
        """The worker's pipes take the places of the server's, whose numbers the adapter knows."""
        for source, target in zip(pipes, (self._pipes.reader, self._pipes.output.descriptor, 2)):
            os.dup2(source, target, target == 2)
            os.close(source)
        os.dup2(2, 1)
        if channel is not None:
            os.dup2(channel, self._channel, False)
            os.close(channel)
        self._pipes.output.limit(order.get("max_frame_bytes"))
        gc.enable()

    def _bury(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            token, done = self._keepers.pop(pid, (None, None))
            if token is None:
                continue  # something that the import has started
            is_done = drain(done)
            os.close(done)
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            self._say(type="ended", token=token, code=None if number else os.WEXITSTATUS(status), signal=number)
            if not is_done and number == KILLED:
                os._exit(75)  # somebody has killed a keeper: what its worker has started ends with the namespace of all


def descriptors():
    """What is open: where each leads to, by number."""
    found = {}
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return found
    for name in names:
        try:
            found[int(name)] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass  # the one of listdir itself
    return found


def drain(descriptor):
    """Whether anything was in a pipe that does not block."""
    try:
        return bool(os.read(descriptor, 4096))
    except BlockingIOError:
        return False


def close_all(numbers):
    for number in numbers:
        os.close(number)
