"""The bundled worker: `python main.py --entry module:Class`, in the environment of the package it runs.

Speaks the protocol of `procvision_algorithm_sdk.adapter` with the package's own SDK for the base class, and more; see
the modules beside it. Standard library only, Python 3.8 to 3.13.
"""
import os
import sys

# Only for the imports of this line: the algorithm's own modules must not meet ours.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from procvision_bundled_worker import runner

sys.path.pop(0)
runner.main()
