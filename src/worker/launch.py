"""Starts a worker in its bounds; see launcher.py.

    python -S launch.py <order> <module or file.py> [arguments of the module]

Python compiles the script that it is started with anew each time, so that this one is short.
"""
import os
from _frozen_importlib_external import SourceFileLoader  # there from the start

here = os.path.dirname(os.path.abspath(__file__))
path = os.path.join(here, "stages.py")
names = {"__name__": "procvision_launcher", "__file__": path}
exec(SourceFileLoader("procvision_launcher", path).get_code("procvision_launcher"), names)
stages, path = names["Stages"](os.path.dirname(here)), os.path.join(here, "launcher.py")
exec(stages.code_of(path), {"__name__": "procvision_launcher", "__file__": path, "STAGES": stages,
                            "OWN_MODULES": names["OwnModules"](stages)})
