import type { Generation } from 'procvision-runner';

const SDK = { phased: '0.0.7', 'execute-only': '0.3.2' } as const;

/** The files of a new package, by path. */
export function projectFiles(o: {
  name: string;
  generation: Generation;
  ids: readonly string[];
}): Record<string, string> {
  const { name, generation, ids } = o;
  const steps = [{ index: 1, name: 'brightness', params: [PARAMETER] }];
  const manifest = {
    ...{ name, version: '0.1.0', description: 'Tells dark pictures from bright ones' },
    entry_point: 'algorithm.main:Algorithm',
    ...(generation === 'phased' && { supported_pids: ids }),
    steps: generation === 'phased' ? steps : [{ index: 1, name: 'brightness' }],
  };
  return {
    'manifest.json': `${JSON.stringify(manifest, null, 2)}\n`,
    'requirements.txt': `procvision_algorithm_sdk==${SDK[generation]}\n`,
    'algorithm/__init__.py': '',
    'algorithm/brightness.py': BRIGHTNESS,
    'algorithm/main.py': generation === 'phased' ? phased(name, ids) : EXECUTE_ONLY,
    'tests/__init__.py': '',
    'tests/test_brightness.py': TESTS,
    '.gitignore': '__pycache__/\n*.zip\nvenv/\nwheels/\n',
    'README.md': readme(name),
  };
}

const PARAMETER = {
  key: 'least',
  type: 'float',
  default: 40,
  min: 0,
  max: 255,
  description: 'mean brightness below which a picture is NG',
};

const BRIGHTNESS = `"""What the algorithm decides, without the SDK: the tests call it directly."""

LEAST = 40.0  # of 255


def verdict(image, width, height, least=LEAST):
    """The result data for a picture. \`image\` is what the SDK hands over: an array of height x width x 3 bytes."""
    pixels = bytes(image)
    mean = sum(pixels) / float(len(pixels) or 1)
    data = {"result_status": "OK", "defect_rects": [], "debug": {"mean": round(mean, 1)}}
    if mean < least:
        whole = {"x": 0, "y": 0, "width": width, "height": height, "label": "dark", "score": 1.0}
        data.update(result_status="NG", ng_reason="too dark: %.0f of 255" % mean, defect_rects=[whole])
    return data
`;

function phased(name: string, ids: readonly string[]): string {
  return `from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

from .brightness import LEAST, verdict


class Algorithm(BaseAlgorithm):
    def setup(self):
        self.logger.info("ready")  # load models here: once, before the first call

    def get_info(self):
        return {
            "name": ${JSON.stringify(name)},
            "version": "0.1.0",
            "description": "tells dark pictures from bright ones",
            "supported_pids": ${JSON.stringify(ids)},
            "steps": [{"index": 1, "name": "brightness", "params": [
                {"key": "least", "type": "float", "default": LEAST, "min": 0, "max": 255}]}],
        }

    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return {"status": "OK", "message": "", "data": {"calibration_rects": []}}

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        image = read_image_from_shared_memory(shared_mem_id, image_meta)
        least = float((user_params or {}).get("least", LEAST))
        data = verdict(image, image_meta.get("width"), image_meta.get("height"), least)
        return {"status": "OK", "message": "", "data": data}
`;
}

const EXECUTE_ONLY = `from procvision_algorithm_sdk import BaseAlgorithm

from .brightness import verdict


class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        height, width = cur_image.shape[:2]
        return {"status": "OK", "message": "", "data": verdict(cur_image, width, height)}
`;

const TESTS = `import unittest

from algorithm.brightness import verdict

WIDTH, HEIGHT = 8, 6


class Brightness(unittest.TestCase):
    def test_bright_picture_is_ok(self):
        self.assertEqual(verdict(bytes([200]) * WIDTH * HEIGHT * 3, WIDTH, HEIGHT)["result_status"], "OK")

    def test_dark_picture_is_ng_with_a_box_over_all_of_it(self):
        data = verdict(bytes([5]) * WIDTH * HEIGHT * 3, WIDTH, HEIGHT)
        self.assertEqual(data["result_status"], "NG")
        self.assertEqual((data["defect_rects"][0]["width"], data["defect_rects"][0]["height"]), (WIDTH, HEIGHT))

    def test_threshold_can_be_given(self):
        self.assertEqual(verdict(bytes([5]) * 3, 1, 1, least=4)["result_status"], "OK")


if __name__ == "__main__":
    unittest.main()
`;

function readme(name: string): string {
  return `# ${name}

An algorithm package for procvision-runner.

\`\`\`sh
python3 -m unittest                                            # its tests, without the SDK
procvision-runner pack . --index                               # the offline package, with wheels of an index
procvision-runner check ${name}-v0.1.0-offline.zip             # what a station would say of it
procvision-runner install ${name}-v0.1.0-offline.zip --activate
procvision-runner run ${name} 0.1.0 picture.png
\`\`\`

The decision is in \`algorithm/brightness.py\`, what the SDK calls in \`algorithm/main.py\`. Name, version, product ids and
parameters stand in \`manifest.json\` and in \`get_info()\`: both must agree.
`;
}
