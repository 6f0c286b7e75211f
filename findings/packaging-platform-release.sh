#!/usr/bin/env bash
# A marker that compares platform_release (the kernel's name) with a version: names of distributions' kernels are no versions by PEP 440.
# packaging 25 raises InvalidVersion from evaluate(), packaging 26 answers False to each comparison, `>=`, `<` and even `!=`, so that
# a dependency under either of two opposite markers is left out without a word.
#
# Seen with packaging 25.0 and 26.4, Python 3.11:
#   25.0: 6.1.0: >= True, < False, != True; 5.15.0-91-generic: >= InvalidVersion, < InvalidVersion, != InvalidVersion
#   26.4: 6.1.0: >= True, < False, != True; 5.15.0-91-generic: >= False, < False, != False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 25.0 26.4; do
  python3 -m venv "env-$version"
  "env-$version/bin/pip" install --quiet --disable-pip-version-check "packaging==$version"
done
cat > look.py <<'PY'
import packaging
from packaging.markers import Marker
def answer(name, operator):
    try:
        return Marker("platform_release %s '5.0'" % operator).evaluate({"platform_release": name})
    except Exception as error:
        return type(error).__name__
def answers(name):
    return name + ": " + ", ".join("%s %s" % (operator, answer(name, operator)) for operator in (">=", "<", "!="))
print("%s: %s; %s" % (packaging.__version__, answers("6.1.0"), answers("5.15.0-91-generic")))
PY
for version in 25.0 26.4; do "env-$version/bin/python" look.py; done | tee seen
expected='25.0: 6.1.0: >= True, < False, != True; 5.15.0-91-generic: >= InvalidVersion, < InvalidVersion, != InvalidVersion
26.4: 6.1.0: >= True, < False, != True; 5.15.0-91-generic: >= False, < False, != False'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
