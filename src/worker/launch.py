"""Starts a worker in its bounds; see launcher.py.

    python -S launch.py <order> <module or file.py> [arguments of the module]

Python compiles the script that it is started with anew each time, so that this one is short.
"""
import os
from _frozen_importlib_external import SourceFileLoader  # there from the start

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.py")
exec(SourceFileLoader("procvision_launcher", path).get_code("procvision_launcher"),
     {"__name__": "procvision_launcher", "__file__": path})
