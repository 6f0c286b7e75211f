"""Starts a worker in its bounds, one stage after the other. Executed by launch.py.

Its interpreter is the base of the package's environment, started without `site`: nothing of the package is in its
reach. The order is a JSON object, see containment.ts and contain.py, or the host's process id alone. Each stage is
a file that defines one function. `STAGES` and `OWN_MODULES` come from launch.py.
"""
import gc
import os
import sys


def load(*script):
    """Executes a file of a stage, and gives what it defines."""
    names = {"__name__": "procvision_launcher", "__file__": STAGES.path_of(*script)}
    exec(STAGES.code_of(names["__file__"]), names)
    return names


def load_process(script):
    return load("process", script)


def start_collecting():
    """What was imported until now stays: to look for garbage in it, time and again, takes a tenth of the start."""
    gc.freeze()
    gc.enable()


def load_stages():
    """For a fork server, which uses them in the bounds: there is nothing left to read them from."""
    names = ("contain", "contain_fork", "keep", "namespaces", "scratch", "bounds", "log_pipe")
    stages = {name: load_process(name + ".py") for name in names}
    stages["system"] = load_process("system_calls.py")["System"].find()
    stages["server"] = load("worker", "fork_server.py")["ForkServer"]
    return stages


def serve(pipes, order, in_force, stages, channel, is_adapter):
    """Returns in each of its workers, which goes on as a cold worker does."""
    server = stages["server"](pipes, order, in_force, stages, stages["system"], None if channel is None else int(channel))
    if not is_adapter:
        with OWN_MODULES:
            from procvision_bundled_worker import runner

        runner.prepare()
    server.run(os.environ["PROC_ENTRY_POINT"], ("json", "traceback", "shutil", "socket", "array", "warnings"))


def run_script(path, pipes):
    """As runpy does it, which takes longer to import than most of the worker's own modules."""
    former = sys.modules["__main__"]  # kept until the end: what is executed here is part of it
    module = sys.modules["__main__"] = type(former)("__main__")
    module.__dict__.update(__file__=path, PROTOCOL=pipes, OWN_MODULES=OWN_MODULES)
    sys.argv[0] = path
    exec(STAGES.code_of(path), module.__dict__)


def main():
    gc.disable()
    import json

    order, target = json.loads(sys.argv[1]), sys.argv[2]
    if isinstance(order, int):
        order = {"host": order}
    log = load_process("log_pipe.py")["LogPipe"](is_kept=True)
    report = None if hasattr(os, "fork") else load_process("job_object.py")["enter_job"](order)
    pipes = load("worker", "protocol_pipes.py")["ProtocolPipes"](log, report)
    enter = load_process("enter_environment.py")["enter"]
    is_adapter = not target.endswith(".py")
    if is_adapter:
        guard_setup, frames = load("worker", "guard_setup.py")["guard_setup"], load("worker", "proven_frames.py")["ProvenFrames"]
    STAGES.make_ready()
    if hasattr(os, "fork"):
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
    if is_adapter:
        package = target.partition(".")[0]
        guard_setup(os.environ.get("PROCVISION_SETUP_ERRORS"))
        frames = frames(OWN_MODULES, pipes.output)
        own = pipes.adapter_globals(package, frames.tap)
        frames.take_the_place_of(package)
    if order.get("serve"):
        serve(pipes, order, in_force, stages, channel, is_adapter)
    if is_adapter:
        import runpy

        runpy.run_module(target, own, "__main__", True)
    else:
        run_script(target, pipes)


main()
