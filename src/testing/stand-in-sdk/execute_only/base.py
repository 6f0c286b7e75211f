from abc import ABC, abstractmethod

from .diagnostics import Diagnostics
from .logger import StructuredLogger


class BaseAlgorithm(ABC):
    def __init__(self):
        self.logger = StructuredLogger()
        self.diagnostics = Diagnostics()

    @abstractmethod
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        ...
