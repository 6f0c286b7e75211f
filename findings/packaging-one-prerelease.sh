#!/usr/bin/env bash
# Whether 1.1a1 is in ">1.0": packaging 25 says no, for a pre-release that nobody asked for; packaging 26 says yes, for where it is the
# only one, it is taken. `version in set`, contains() and filter() of one version have turned over, so that a check of what is
# installed lets a pre-release pass after an update. Among others it is still left out; `prereleases=False` gives the old answer.
#
# Seen with packaging 25.0 and 26.4, Python 3.11:
#   25.0: in False, contains False, filter of it alone [], with a final one ['1.2'], prereleases=False False
#   26.4: in True, contains True, filter of it alone ['1.1a1'], with a final one ['1.2'], prereleases=False False
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
from packaging.specifiers import SpecifierSet
later = SpecifierSet(">1.0")
print("%s: in %s, contains %s, filter of it alone %s, with a final one %s, prereleases=False %s" % (
    packaging.__version__,
    "1.1a1" in later,
    later.contains("1.1a1"),
    list(later.filter(["1.1a1"])),
    list(later.filter(["1.1a1", "1.2"])),
    later.contains("1.1a1", prereleases=False)))
PY
for version in 25.0 26.4; do "env-$version/bin/python" look.py; done | tee seen
expected="25.0: in False, contains False, filter of it alone [], with a final one ['1.2'], prereleases=False False
26.4: in True, contains True, filter of it alone ['1.1a1'], with a final one ['1.2'], prereleases=False False"
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
