"""Starts a worker in its bounds, one stage after the other.

    python -S launch.py <order> <module or file.py> [arguments of the module]

`python` is the interpreter that the package's environment was made from, started without `site`: nothing of the package
is in its reach. The order is a JSON object, see containment.ts and contain.py, or the host's process id alone. Each stage is
a file that defines one function.
"""
import os
import sys
from _frozen_importlib_external import SourceFileLoader  # there from the start

HERE = os.path.dirname(os.path.abspath(__file__))


def load(*script):
    """Executes a file of a stage, and gives what it defines. Compiled once where this folder can be written."""
    path = os.path.normpath(os.path.join(HERE, *script))
    names = {"__name__": "procvision_launcher", "__file__": path}
    exec(SourceFileLoader(names["__name__"], path).get_code(names["__name__"]), names)
    return names


def load_process(script):
    return load(os.pardir, "process", script)


def main():
    import json

    order, target = json.loads(sys.argv[1]), sys.argv[2]
    if isinstance(order, int):
        order = {"host": order}
    log = load_process("log_pipe.py")["LogPipe"]()
    pipes = load("protocol_pipes.py")["ProtocolPipes"](log)
    # Loaded beforehand: in its bounds the worker cannot keep what was compiled, and would do it at every start.
    contain, enter = load_process("contain.py")["contain"], load_process("enter_environment.py")["enter"]
    if hasattr(os, "fork"):
        contain(order, load_process)  # from here on this is the worker
    pipes.take()
    sys.argv = [sys.argv[0]] + sys.argv[3:]
    del sys.path[0]
    if sys.flags.no_site:
        enter(order.get("executable"))  # what the package runs at start runs here
    sys.path.insert(0, os.getcwd())
    import runpy

    if target.startswith("procvision_algorithm_sdk"):
        load("guard_setup.py")["guard_setup"](os.environ.get("PROCVISION_SETUP_ERRORS"))
    if target.endswith(".py"):
        runpy.run_path(target, {"PROTOCOL": pipes}, "__main__")
    else:
        package = target.partition(".")[0]
        frames = load("proven_frames.py")["ProvenFrames"](HERE, pipes.output)
        own = pipes.adapter_globals(package, frames.tap)
        frames.take_the_place_of(package)
        runpy.run_module(target, own, "__main__", True)


main()
