"""Starts a worker in its bounds, one stage after the other.

    python -S launch.py <order> <module or file.py> [arguments of the module]

`python` is the interpreter that the package's environment was made from, started without `site`: nothing of the package
is in its reach. The order is a JSON object, see containment.ts and contain.py, or the host's process id alone. Each stage is a file that defines one
function; it is compiled at every start of a worker, so that only what each start needs is.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def load(*script):
    """Executes a file of a stage, and gives what it defines."""
    names = {"__name__": "procvision_launcher", "__file__": os.path.join(HERE, *script)}
    with open(names["__file__"], encoding="utf-8") as file:
        exec(compile(file.read(), names["__file__"], "exec"), names)
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
    load_process("contain.py")["contain"](order, load_process)  # from here on this is the worker
    pipes.take()
    sys.argv = [sys.argv[0]] + sys.argv[3:]
    del sys.path[0]
    load_process("enter_environment.py")["enter"](order.get("executable"))  # what the package runs at start runs here
    sys.path.insert(0, os.getcwd())
    import runpy

    if target.endswith(".py"):
        runpy.run_path(target, {"PROTOCOL": pipes}, "__main__")
    else:
        runpy.run_module(target, pipes.adapter_globals(target.partition(".")[0]), "__main__", True)


main()
