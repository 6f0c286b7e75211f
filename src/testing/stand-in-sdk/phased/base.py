from abc import ABC, abstractmethod

from .diagnostics import Diagnostics
from .logger import StructuredLogger


class BaseAlgorithm(ABC):
    def __init__(self):
        self.logger = StructuredLogger()
        self.diagnostics = Diagnostics()
        self._supported_pids = []

    def setup(self):
        pass

    def teardown(self):
        pass

    def on_step_start(self, step_index, session, context):
        pass

    def on_step_finish(self, step_index, session, result):
        pass

    def reset(self, session):
        pass

    @abstractmethod
    def get_info(self):
        ...

    @abstractmethod
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        ...

    @abstractmethod
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        ...
