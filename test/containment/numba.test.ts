import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { VenvManager } from '../../src/python/venv-manager.js';
import { buildPackage, TemporaryStore } from '../../src/testing/index.js';
import { indexWheelsWithRequired } from '../support/index-wheels.js';

const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
const PYTHON = process.env.PROCVISION_TEST_PYTHON ?? 'python3';
const PINNED = ['numba==0.60.0', 'numpy==2.0.2', 'llvmlite==0.43.0', 'matplotlib==3.9.2', 'pillow==11.0.0'];

const FIELD = `import numba
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plot
from procvision_algorithm_sdk import BaseAlgorithm


@numba.njit(cache=True)
def total(values):
    sum = 0
    for value in values:
        sum += value
    return sum


class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}

    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}

    def execute(self, *call):
        import io
        import os
        import numpy
        figure = plot.figure()
        figure.text(0, 0, "seen")
        drawing = io.BytesIO()
        figure.savefig(drawing)
        sum = int(total(numpy.arange(10)))
        cached = sum and len(os.listdir(os.environ["NUMBA_CACHE_DIR"])) > 0
        fonts = [name for name in os.listdir(os.environ["MPLCONFIGDIR"]) if name.startswith("fontlist")]
        debug = {"sum": sum, "cached": cached, "fonts": len(fonts), "drawing": len(drawing.getvalue()) > 1000}
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": debug}}
`;

test.runIf(process.platform === 'linux')(
  'numba with cache=True and matplotlib work in the trial and in a worker whose environment is read-only',
  { timeout: 240_000 },
  async ({ skip }) => {
    const wheels = await indexWheelsWithRequired(PYTHON, PINNED);
    if (!wheels) skip('no index has the pinned wheels of numba and matplotlib for this Python');
    await using store = await TemporaryStore.open();
    const zip = path.join(store.folder, 'field.zip');
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': FIELD };
    const requirements = 'procvision_algorithm_sdk\nnumba\nmatplotlib\n';
    await writeFile(zip, await buildPackage({ files, requirements, wheels }));
    await store.deployer({ venvs: new VenvManager({ python: PYTHON, installer: 'link' }) }).install(zip);
    const { data } = await store.supervise().execute({ target, stepIndex: 1, image, timeoutMs: 60_000 });
    expect(data.debug).toEqual({ sum: 45, cached: true, fonts: 1, drawing: true });
  },
);
