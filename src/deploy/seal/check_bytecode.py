"""Tells which files of byte code below the working folder are not what Python makes of the sources beside them.

    python -I -S -B check_bytecode.py

One path a line on stdin, relative, with `/`; one line of JSON for each on stdout: whether it is right. Nothing of a
package is run: sources are compiled, and what is cached is compared with that, code object by code object.
"""
import importlib.util
import json
import marshal
import os
import sys


def die_with_host():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, os.pardir, os.pardir, "process", "die_with_host.py"), encoding="utf-8") as file:
        exec(file.read(), {})


def is_right(path):
    folder, name = os.path.split(path)
    stem, tag, *optimization = name[: -len(".pyc")].rsplit(".", 2 if ".opt-" in name else 1)
    level = int(optimization[0][len("opt-") :]) if optimization else 0
    source = os.path.join(os.path.dirname(folder), stem + ".py")
    if tag != sys.implementation.cache_tag:
        return False
    with open(source, "rb") as file:
        expected = compile(file.read(), source, "exec", dont_inherit=True, optimize=level)
    with open(path, "rb") as file:
        content = file.read()
    if content[:4] != importlib.util.MAGIC_NUMBER:
        return False
    return marshal.loads(content[16:]) == expected


def main():
    die_with_host()
    for line in sys.stdin.buffer:
        path = json.loads(line)
        try:
            right = is_right(path)
        except (OSError, ValueError, EOFError, TypeError, SyntaxError, RecursionError, MemoryError):
            right = False
        sys.stdout.write(json.dumps([path, right]) + "\n")
    sys.stdout.flush()


main()
