#!/usr/bin/env bash
# pip 26.3 (its resolvelib 1.2.1): a circle of projects that nothing asks for any more ends in "RecursionError: maximum
# recursion depth exceeded".
#
# A version is given back in the search that had asked for a project; that project needs itself, or another that needs it.
# Its criterion stays, with the circle as its only parents. When the result is built, `_has_route_to_root` follows the parents
# of each project, and marks none as visited: it turns in the circle.
#
# Seen with CPython 3.11.7:
#   pip 26.3
#   RecursionError: maximum recursion depth exceeded
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python=${PYTHON:-python3}
"$python" -m venv env && env/bin/pip install --quiet pip==26.3
cat > make.py <<'PY'
import zipfile
def wheel(name, version, *requires):
    with zipfile.ZipFile("%s-%s-py3-none-any.whl" % (name, version), "w") as file:
        info = "%s-%s.dist-info/" % (name, version)
        lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version, *("Requires-Dist: " + one for one in requires), "", ""]
        file.writestr(info + "METADATA", "\n".join(lines))
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "")
wheel("a", "2", "loop", "b")
wheel("a", "1")
wheel("loop", "1", "loop")
wheel("b", "1", "c", "a<2")
wheel("c", "1")
PY
env/bin/python make.py
env/bin/pip --version | cut -d ' ' -f 1,2
got=$(env/bin/pip install --isolated --no-index --find-links . --dry-run a b 2>&1 | tail -1 || true)
echo "$got"
case $got in
  RecursionError:*) ;;
  *)
    echo 'This has changed' >&2
    exit 1
    ;;
esac
