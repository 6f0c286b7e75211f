"""The bundled worker: `python launch.py … main.py --entry module:Class`, in the environment of the package it runs.

Speaks the protocol of `procvision_algorithm_sdk.adapter` with the package's own SDK for the base class, and more; see
the modules beside it. Standard library only, Python 3.8 to 3.13.
"""
# A process that the algorithm starts with `spawn` or `forkserver` reads this file again, and is no worker.
if __name__ == "__main__":
    with OWN_MODULES:  # both names come from the launcher
        from procvision_bundled_worker import runner

    runner.main(PROTOCOL)
