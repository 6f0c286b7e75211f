import { createHash } from 'node:crypto';
import { writeZip } from '../../src/testing/index.js';

/** Wheels that go together, for one minor version of Python. */
export interface PinnedSet {
  python: string;
  /** `name==version`, each with all that it requires. */
  wheels: readonly string[];
  imports: readonly string[];
  /** Wheels that are made for the set, by file name. */
  built?: Record<string, Uint8Array>;
  /** A library of the system that they need. Hidden from the look at their files, it is the one that is named. */
  systemLibrary?: string;
  /** A program that ends well where the projects work together. */
  program?: { what: string; text: string };
}

/** The sum of `x` and four weights, which lie in another file. */
const MODEL =
  'CAg6eAoOCgF4CgF3EgF5IgNBZGQSAWcqQQgEEAFCAXdqGwoIbG9jYXRpb24SD21vZGVsLm9ubnguZGF0YWoLCgZvZmZzZXQSATBqDAoGbGVuZ3RoEgIxNnABWg8KAXgSCgoICAESBAoCCARiDwoBeRIKCggIARIECgIIBEIECgAQDQ==';

const READ_WEIGHTS = `
import os, tempfile
import numpy, onnx, onnx.numpy_helper, onnxruntime, weights
folder = os.path.dirname(weights.__file__)
def read(folder):
    model = onnx.load(os.path.join(folder, "model.onnx"))
    return onnx.numpy_helper.to_array(model.graph.initializer[0]).tolist()
assert read(folder) == [0, 1, 2, 3], read(folder)
session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), providers=["CPUExecutionProvider"])
answer = session.run(None, {"x": numpy.ones(4, numpy.float32)})[0].tolist()
assert answer == [1, 2, 3, 4], answer
with tempfile.TemporaryDirectory(dir=folder) as other:
    for name in ("model.onnx", "model.onnx.data"):
        os.link(os.path.join(folder, name), os.path.join(other, name))
    try:
        read(other)
    except onnx.checker.ValidationError as error:
        assert "hard link" in str(error), error
    else:
        raise AssertionError("onnx reads a file with two names: it may be linked")
`;

const words = (text: string) => text.trim().split(/\s+/);

/** Sets of wheels of the package index: old and new releases, and all that has had a way of its own with an installer. */
export const PINNED_SETS: Record<string, PinnedSet> = {
  'numpy 1': {
    python: '3.8',
    wheels: words('numpy==1.24.4 pillow==10.4.0 coverage==7.6.1 zope.interface==7.2 setuptools==75.3.2'),
    imports: words('numpy PIL coverage zope.interface pkg_resources'),
  },
  'both cv2': {
    python: '3.9',
    wheels: words('numpy==1.26.4 opencv-python==4.10.0.84 opencv-python-headless==4.10.0.84'),
    imports: words('numpy cv2'),
  },
  science: {
    python: '3.10',
    wheels: words(
      `numpy==1.26.4 scipy==1.13.1 scikit-image==0.24.0 imageio==2.36.1 tifffile==2024.9.20 lazy-loader==0.4
       networkx==3.2.1 packaging==24.2 pillow==12.3.0 pybind11==2.13.6`,
    ),
    imports: words('scipy.ndimage skimage.measure pybind11 PIL.Image'),
  },
  'opencv with windows': {
    python: '3.11',
    wheels: words('numpy==1.26.4 opencv-python==4.10.0.84'),
    imports: words('numpy cv2'),
    systemLibrary: 'libGL.so.1',
  },
  onnx: {
    python: '3.11',
    wheels: words(
      `numpy==2.1.3 onnx==1.17.0 onnxruntime==1.20.1 protobuf==5.29.1 flatbuffers==24.3.25 coloredlogs==15.0.1
       humanfriendly==10.0 sympy==1.13.3 mpmath==1.3.0 packaging==24.2`,
    ),
    imports: words('onnx onnxruntime google.protobuf'),
  },
  qt: {
    python: '3.11',
    wheels: words('PySide6_Essentials==6.12.0 shiboken6==6.12.0'),
    imports: words('shiboken6 PySide6.QtCore'),
  },
  'metadata of torch 1.12': {
    python: '3.10',
    wheels: words('typing_extensions==4.16.0'),
    imports: words('torch torchgen'),
    built: { 'torch-1.12.1-cp310-cp310-manylinux1_x86_64.whl': torchOf112() },
  },
  tables: {
    python: '3.12',
    wheels: words(
      `numpy==2.2.0 pandas==2.2.3 python-dateutil==2.9.0.post0 pytz==2024.2 tzdata==2024.2 six==1.17.0
       matplotlib==3.10.0 contourpy==1.3.1 cycler==0.12.1 fonttools==4.55.3 kiwisolver==1.4.7 pillow==11.0.0
       pyparsing==3.2.0 packaging==24.2 greenlet==3.1.1`,
    ),
    imports: words('pandas matplotlib.figure greenlet'),
  },
  notebooks: {
    python: '3.12',
    wheels: words(
      `Jinja2==3.1.6 MarkupSafe==3.0.4 PyYAML==6.0.4 Pygments==2.21.0 Send2Trash==2.2.0 anyio==4.16.0
       argon2-cffi-bindings==26.2.0 argon2-cffi==25.1.0 arrow==1.4.0 asttokens==3.0.2 async-lru==2.4.0 attrs==26.1.0
       babel==2.19.0 beautifulsoup4==4.15.0 bleach==6.4.0 certifi==2026.10.19.post1 cffi==2.1.1
       charset-normalizer==3.5.3 comm==0.2.3 debugpy==1.8.22 defusedxml==0.7.1 executing==2.3.0
       fastjsonschema==2.22.3 fqdn==1.6.0 h11==0.16.0 httpcore==1.0.9 httpx==0.28.1 idna==3.20 ipykernel==7.4.0
       ipython==9.18.1 ipython_pygments_lexers==1.1.1 isoduration==20.11.0 jedi==0.20.1 json5==0.17.3
       jsonpointer==3.12 jsonschema-specifications==2025.9.1 jsonschema==4.26.0 jupyter-events==0.12.1
       jupyter-lsp==2.3.1 jupyter_builder==1.3.0 jupyter_client==8.10.0 jupyter_core==5.9.1 jupyter_server==2.21.1
       jupyter_server_terminals==0.5.4 jupyterlab==4.6.6 jupyterlab_pygments==0.3.0 jupyterlab_server==2.28.1
       lark==1.3.1 matplotlib-inline==0.2.2 mistune==3.4.0 nbclient==0.11.0 nbconvert==7.17.2 nbformat==5.11.1
       nest-asyncio2==1.7.4 notebook_shim==0.2.4 packaging==26.4 pandocfilters==1.5.1 parso==0.8.7 pexpect==4.9.0
       platformdirs==4.14.8 prometheus_client==0.26.0 prompt_toolkit==3.0.53 psutil==7.2.2 ptyprocess==0.7.0
       pure_eval==0.2.4 pycparser==3.12 python-dateutil==4.0.0 python-json-logger==4.2.0 pyzmq==27.3.0
       referencing==0.37.0 requests==2.34.2 rfc3339-validator==0.1.4 rfc3986-validator==0.1.1 rfc3987-syntax==1.1.0
       rpds-py==2026.9.1 six==1.17.0 soupsieve==4.1.3 stack-data==0.6.3 terminado==0.18.1 tinycss2==1.5.1
       tornado==6.6.1 traitlets==5.16.1 typing_extensions==4.16.0 tzdata==2026.6 uri-template==1.3.0 urllib3==2.8.0
       wcwidth==0.9.4 webcolors==25.10.0 webencodings==0.6.1 websocket-client==1.9.2`,
    ),
    imports: words('jupyterlab zmq ipykernel nbconvert'),
  },
  tools: {
    python: '3.13',
    wheels: words(
      `awscli==1.36.20 botocore==1.35.79 docutils==0.16 s3transfer==0.10.4 PyYAML==6.0.2 colorama==0.4.6 rsa==4.7.2
       pyasn1==0.6.1 jmespath==1.0.1 python-dateutil==2.9.0.post0 urllib3==2.2.3 six==1.17.0 cmake==3.31.2
       libclang==18.1.1 coverage==7.6.9 setuptools==75.6.0`,
    ),
    imports: words('awscli botocore yaml cmake clang.cindex coverage'),
  },
  'opencv 5': {
    python: '3.13',
    wheels: words(
      `numpy==2.5.5 opencv-python==5.0.0.93 opencv-python-headless==5.0.0.93 pillow==13.0.0 onnx==1.23.2
       onnxruntime==1.32.0 protobuf==7.36.2 ml_dtypes==0.6.0 flatbuffers==25.12.19 packaging==26.4
       typing_extensions==4.16.0`,
    ),
    imports: words('cv2 PIL.Image onnx onnxruntime'),
    built: { 'weights-1.0-py3-none-any.whl': weights() },
    program: {
      what: 'onnx reads weights out of a wheel, and none of a file with two names',
      text: READ_WEIGHTS,
    },
  },
};

/**
 * A wheel as torch 1.12.1 was published, reduced to a few files: a release script wrote its METADATA anew after RECORD,
 * which has the hash and the size of the earlier one.
 */
function torchOf112(): Uint8Array {
  const info = 'torch-1.12.1.dist-info';
  const metadata = (version: string) =>
    `Metadata-Version: 2.1\nName: torch\nVersion: ${version}\nRequires-Python: >=3.7.0\nRequires-Dist: typing-extensions\n\nTensors\n`;
  const files: Record<string, string> = {
    'torch/__init__.py': 'from .version import __version__\n\n\ndef convert():\n    print(__version__)\n',
    'torch/version.py': `__version__ = '1.12.1'\ndebug = False\n`,
    'torch/bin/protoc': '#!/bin/sh\n',
    'torch/include/c10/macros/Macros.h': '#define C10_API\n',
    'torchgen/__init__.py': '',
    [`${info}/METADATA`]: metadata('1.12.1+cu102'),
    [`${info}/WHEEL`]:
      'Wheel-Version: 1.0\nGenerator: bdist_wheel (0.37.1)\nRoot-Is-Purelib: false\nTag: cp310-cp310-manylinux1_x86_64\n\n',
    [`${info}/entry_points.txt`]: '[console_scripts]\nconvert-caffe2-to-onnx = torch:convert\n',
    [`${info}/top_level.txt`]: 'torch\ntorchgen\n',
  };
  const record = recordOf(files, info);
  files[`${info}/METADATA`] = metadata('1.12.1');
  files[`${info}/RECORD`] = record;
  return writeZip(Object.entries(files).map(([name, data]) => ({ name, data })));
}

/** A package with a model of onnx, its weights in a file of their own. */
function weights(): Uint8Array {
  const info = 'weights-1.0.dist-info';
  const files: Record<string, Buffer> = {
    'weights/__init__.py': Buffer.from(''),
    'weights/model.onnx': Buffer.from(MODEL, 'base64'),
    'weights/model.onnx.data': Buffer.from(new Float32Array([0, 1, 2, 3]).buffer),
    [`${info}/METADATA`]: Buffer.from(
      'Metadata-Version: 2.1\nName: weights\nVersion: 1.0\nRequires-Dist: onnx\n\n',
    ),
    [`${info}/WHEEL`]: Buffer.from(
      'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    ),
  };
  files[`${info}/RECORD`] = Buffer.from(recordOf(files, info));
  return writeZip(Object.entries(files).map(([name, data]) => ({ name, data })));
}

function recordOf(files: Readonly<Record<string, string | Buffer>>, info: string): string {
  const rows = Object.entries(files).map(
    ([name, data]) =>
      `${name},sha256=${createHash('sha256').update(data).digest('base64url')},${Buffer.byteLength(data)}`,
  );
  return [...rows, `${info}/RECORD,,`, ''].join('\n');
}
