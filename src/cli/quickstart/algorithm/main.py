"""Finds where a board differs from the picture of a good one. Standard library only."""
import operator
import os

from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

from .boxes import boxes_of_cells
from .reference import read_ppm

CELL = 8  # pixels; the finest a box can be
TOLERANCE = 24  # mean difference of a cell's bytes that noise and JPEG never reach
MOST_BYTES = 4_000_000  # lines are skipped in larger pictures, so that the time stays bounded
MOST_BOXES = 20  # as the contract says


class Algorithm(BaseAlgorithm):
    def setup(self):
        root = os.environ.get("PROC_ALGO_ROOT") or os.getcwd()
        self.width, self.height, self.reference = read_ppm(os.path.join(root, "assets", "reference.ppm"))
        self.logger.info("reference loaded", width=self.width, height=self.height)

    def get_info(self):
        return {
            "name": "board-check",
            "version": "1.0.0",
            "description": "compares a board with the picture of a good one",
            "supported_pids": ["BOARD-7"],
            "steps": [{
                "index": 1,
                "name": "compare",
                "params": [{"key": "tolerance", "type": "int", "default": TOLERANCE, "min": 1, "max": 255}],
            }],
        }

    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        fault = self._wrong_size(image_meta)
        if fault:
            return {"status": "ERROR", "message": fault, "data": {}}
        whole = {"x": 0, "y": 0, "width": self.width, "height": self.height, "label": "field of view"}
        return {"status": "OK", "message": "field of view as in the reference", "data": {"calibration_rects": [whole]}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        fault = self._wrong_size(image_meta)
        if fault:
            return {"status": "ERROR", "message": fault, "data": {}}
        image = bytes(read_image_from_shared_memory(shared_mem_id, image_meta))
        tolerance = int((user_params or {}).get("tolerance", TOLERANCE))
        cells = self._different_cells(image, tolerance)
        boxes = boxes_of_cells(cells, CELL, self.width, self.height)[:MOST_BOXES]
        data = {"result_status": "NG" if boxes else "OK", "defect_rects": boxes,
                "debug": {"cells": len(cells), "tolerance": tolerance}}
        if boxes:
            data["ng_reason"] = "%d place%s unlike the reference" % (len(boxes), "" if len(boxes) == 1 else "s")
        return {"status": "OK", "message": "", "data": data}

    def _wrong_size(self, image_meta):
        size = (image_meta.get("width"), image_meta.get("height"))
        if size == (self.width, self.height):
            return None
        return "the picture is %sx%s, the reference %sx%s" % (size + (self.width, self.height))

    def _different_cells(self, image, tolerance):
        """Mean difference by (column, row) of each cell beyond the tolerance."""
        line = 3 * self.width
        step = max(1, len(image) // MOST_BYTES)
        found = {}
        for top in range(0, self.height, CELL):
            lines = range(top, min(top + CELL, self.height), min(step, CELL))
            if all(image[y * line:(y + 1) * line] == self.reference[y * line:(y + 1) * line] for y in lines):
                continue
            for left in range(0, self.width, CELL):
                total = count = 0
                for y in lines:
                    start = y * line + 3 * left
                    end = y * line + 3 * min(left + CELL, self.width)
                    total += sum(map(abs, map(operator.sub, image[start:end], self.reference[start:end])))
                    count += end - start
                if total > tolerance * count:
                    found[left // CELL, top // CELL] = total / count
        return found
