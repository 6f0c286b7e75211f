"""The bundled worker: `python launch.py … main.py --entry module:Class`, in the environment of the package it runs.

Speaks the protocol of `procvision_algorithm_sdk.adapter` with the package's own SDK for the base class, and more; see
the modules beside it. Standard library only, Python 3.8 to 3.13.
"""
import os
import sys

# A process that the algorithm starts with `spawn` or `forkserver` reads this file again, and is no worker.
if __name__ == "__main__":
    # Only for this import, and not left there by the interpreter either: the algorithm's own modules must not meet ours.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    from procvision_bundled_worker import runner

    sys.path[:] = [folder for folder in sys.path if folder != here]
    runner.main(PROTOCOL)
