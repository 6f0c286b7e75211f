"""Starts a worker in its bounds, one stage after the other. Executed by launch.py.

Its interpreter is the base of the package's environment, started without `site`: nothing of the package is in its
reach. The order is a JSON object, see containment.ts and contain.py, or the host's process id alone. Each stage is
a file that defines one function.
"""
import gc
import os
import sys
from _frozen_importlib_external import SourceFileLoader, cache_from_source  # there from the start

HERE = os.path.dirname(os.path.abspath(__file__))


def path_of(*script):
    return os.path.normpath(os.path.join(HERE, *script))


def code_of(path):
    """Compiled once where this folder can be written, which is before the bounds are in force."""
    return SourceFileLoader("procvision_launcher", path).get_code("procvision_launcher")


def load(*script):
    """Executes a file of a stage, and gives what it defines."""
    names = {"__name__": "procvision_launcher", "__file__": path_of(*script)}
    exec(code_of(names["__file__"]), names)
    return names


def load_process(script):
    return load(os.pardir, "process", script)


def compile_modules():
    """Of the worker's package, which imports them in its bounds."""
    folder = path_of("bundled", "procvision_bundled_worker")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.endswith(".py") and not is_compiled(path) and os.access(folder, os.W_OK):
            code_of(path)


def is_compiled(path):
    """As Python looks at it (PEP 552): by the time of the source, unless the file says that it holds for any."""
    try:
        number = os.open(cache_from_source(path), os.O_RDONLY)
    except OSError:
        return False
    try:
        head = os.read(number, 12)
    finally:
        os.close(number)
    return head[4:8] != bytes(4) or head[8:] == (int(os.stat(path).st_mtime) & 0xFFFFFFFF).to_bytes(4, "little")


def start_collecting():
    """What was imported until now stays: to look for garbage in it, time and again, takes a tenth of the start."""
    gc.freeze()
    gc.enable()


def load_stages():
    """For a fork server, which uses them in the bounds: there is nothing left to read them from."""
    names = ("contain", "contain_fork", "keep", "namespaces", "scratch", "bounds", "log_pipe")
    stages = {name: load_process(name + ".py") for name in names}
    stages["system"] = load_process("system_calls.py")["System"].find()
    stages["server"] = load("fork_server.py")["ForkServer"]
    return stages


def serve(pipes, order, in_force, stages, channel, is_adapter):
    """Returns in each of its workers, which goes on as a cold worker does."""
    server = stages["server"](pipes, order, in_force, stages, stages["system"], None if channel is None else int(channel))
    if not is_adapter:
        folder = path_of("bundled")
        sys.path.insert(0, folder)  # only for this import: the algorithm's own modules must not meet ours
        from procvision_bundled_worker import runner

        sys.path[:] = [entry for entry in sys.path if entry != folder]
        runner.prepare()
    server.run(os.environ["PROC_ENTRY_POINT"], ("importlib.metadata", "json", "traceback", "shutil", "socket", "array"))


def main():
    gc.disable()
    import json

    order, target = json.loads(sys.argv[1]), sys.argv[2]
    if isinstance(order, int):
        order = {"host": order}
    log = load_process("log_pipe.py")["LogPipe"]()
    report = None if hasattr(os, "fork") else load_process("job_object.py")["enter_job"](order)
    pipes = load("protocol_pipes.py")["ProtocolPipes"](log, report)
    enter = load_process("enter_environment.py")["enter"]
    is_adapter = not target.endswith(".py")
    if is_adapter:
        guard_setup, frames = load("guard_setup.py")["guard_setup"], load("proven_frames.py")["ProvenFrames"]
    if hasattr(os, "fork"):
        compile_modules()
        order["log"] = log
        if order.get("serve"):
            stages = load_stages()
            order["stand_in_for_root"] = lambda in_force: stages["contain_fork"]["stand_in_for_root"](
                stages["system"], in_force, stages["namespaces"])
        try:
            in_force = load_process("contain.py")["contain"](order, load_process)  # from here on this is the worker
        except BaseException:
            log.give_back()
            raise
    channel = os.environ.get("PROCVISION_PICTURES")
    pipes.take(ready=start_collecting)
    sys.argv = [sys.argv[0]] + sys.argv[3:]
    del sys.path[0]
    if sys.flags.no_site:
        enter(order.get("executable"))  # what the package runs at start runs here
    sys.path.insert(0, os.getcwd())
    import runpy

    if is_adapter:
        package = target.partition(".")[0]
        guard_setup(os.environ.get("PROCVISION_SETUP_ERRORS"))
        frames = frames(HERE, pipes.output)
        own = pipes.adapter_globals(package, frames.tap)
        frames.take_the_place_of(package)
    if order.get("serve"):
        serve(pipes, order, in_force, stages, channel, is_adapter)
    if is_adapter:
        runpy.run_module(target, own, "__main__", True)
    else:
        runpy.run_path(target, {"PROTOCOL": pipes}, "__main__")


main()
