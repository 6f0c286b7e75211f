"""Compiles everything below the working folder to bytecode, as a process that gives way to all others.

    python -I compile_tree.py <path that tracebacks show for the working folder>

Works on relative paths: a folder that is moved away or removed meanwhile is not made again in its old place.
"""
import compileall
import os
import sys


def die_with_host():
    guard = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "process", "die_with_host.py")
    with open(guard, encoding="utf-8") as file:
        exec(file.read(), {})


def main():
    die_with_host()
    if hasattr(os, "nice"):
        os.nice(19)
    # Files that cannot be compiled are of another Python, or a package's tests of bad syntax.
    compileall.compile_dir(".", ddir=sys.argv[1], maxlevels=100, quiet=2)


main()
