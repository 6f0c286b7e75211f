import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRequirements } from '../../src/package/requirements.js';

/** The Python of a station may be without pip. */
const isWithoutPip = spawnSync('python3', ['-I', '-c', 'import pip']).status !== 0;

/** What pip makes of the texts: the requirements, and whether it would look anywhere else; null where it stops. */
function readByPip(files: string[]): ({ requirements: string[]; reaches: boolean } | null)[] {
  const script = `
import json, os, sys, tempfile
from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import parse_requirements
session = PipSession()
collector = LinkCollector(session=session, search_scope=SearchScope.create([], [], no_index=False))
finder = PackageFinder.create(link_collector=collector, selection_prefs=SelectionPreferences(allow_yanked=True))
def read(text):
    with open("requirements.txt", "wb") as file:
        file.write(text.encode("utf-8"))
    finder.search_scope = SearchScope.create([], [], no_index=False)
    found = []
    reaches = False
    try:
        for line in parse_requirements("requirements.txt", session=session, finder=finder):
            reaches = reaches or line.is_editable
            one = install_req_from_parsed_requirement(line)
            reaches = reaches or one.link is not None
            if one.req is not None:
                hashes = sorted(value for values in one.hash_options.values() for value in values)
                found.append(" ".join([str(one.req).lower().replace("_", "-").replace(" ", ""), str(one.markers or ""), *hashes]))
    except Exception:
        return None
    return {"requirements": found, "reaches": reaches or bool(finder.index_urls) or any(map(outside, finder.find_links))}
def outside(link):
    # "wheels" is a folder of the package; of another name in it that is not there pip says so, and goes on.
    return "://" in link or "#" in link or not os.path.realpath(link).startswith(os.getcwd() + os.sep)
os.chdir(tempfile.mkdtemp())
print(json.dumps([read(text) for text in json.load(sys.stdin)]))`;
  return JSON.parse(
    execFileSync('python3', ['-W', 'ignore', '-X', 'utf8', '-c', script], {
      input: JSON.stringify(files),
      env: { ...process.env, SOME_PLACE: 'https://example.org' },
      maxBuffer: 1e8,
      stdio: ['pipe', 'pipe', 'ignore'],
    }).toString(),
  ) as ({ requirements: string[]; reaches: boolean } | null)[];
}

const name = fc.constantFrom('numpy', 'opencv-python', 'ruamel.yaml', 'x', 'Pillow');
const specifier = fc.constantFrom('', '==1.0', '>=1.2,<2', '~=1.4', ' != 1.5 ', '===1.0', ' (>=1)');
const marker = fc.constantFrom('', '; python_version >= "3.8"', ";sys_platform=='linux' or os_name == 'nt'");
const hash = fc.constantFrom('', ` --hash=sha256:${'a'.repeat(64)}`, ` --hash sha512:${'b'.repeat(128)}`);
const requirement = fc
  .tuple(name, fc.constantFrom('', '[a]', '[a, b.c]'), specifier, marker, hash)
  .map((parts) => parts.join(''));
const option = fc.constantFrom(
  '--no-index',
  '--pre',
  '--prefer-binary',
  '--index-url https://example.org',
  '-i=https://example.org',
  '-ihttps://example.org',
  '--extra-index-url ${SOME_PLACE}',
  '--find-links https://example.org',
  '-f wheels',
  '-f ../wheels',
  '-f wheels\\https://example.org',
  '-f .\\./wheels',
  '-f "wheels"',
  "-f 'wheels\\'",
  '-e ./x',
  '--trusted-host example.org',
  '--only-binary :all:',
);
const direct = fc.constantFrom(
  'x @ https://example.org/x-1.0-py3-none-any.whl',
  'x @ ${SOME_PLACE}/x-1.0-py3-none-any.whl',
  'https://example.org/x-1.0-py3-none-any.whl',
  'git+https://example.org/x.git',
);
/** What stands between pieces: ends of lines in every form, continuations, comments, blanks. */
const joint = fc.constantFrom(
  ...['\n', '\r\n', '\r', '\v', '\f', '\u001c', '\u0085', '\u2028', '\u2029', '\ufeff', '\n\ufeff'],
  ...[' ', '\t', '\u00a0', '\u3000', ' #', '#', '\n# ', ' # \v', '\\\n', ' \\\n ', '\\\\\n', '\\\n#', '\\'],
);
const text = fc
  .array(fc.tuple(fc.oneof({ weight: 3, arbitrary: requirement }, option, direct), joint), {
    minLength: 1,
    maxLength: 4,
  })
  .map((pieces) => pieces.flat().join(''));
/** Files as people write them. */
const plainText = fc.array(requirement, { minLength: 1, maxLength: 6 }).map((lines) => lines.join('\n'));

test.skipIf(isWithoutPip)(
  'what is accepted, pip reads as the same requirements and reaches for nothing, for 800 generated files',
  () => {
    const files = fc.sample(text, 800);
    const pips = readByPip(files);
    const outcomes = { accepted: 0, refused: 0 };
    const differences = files.flatMap((written, index) => {
      const ours = parseRequirements(written);
      if (ours.refused.length > 0) {
        outcomes.refused++;
        return [];
      }
      outcomes.accepted++;
      const pip = pips[index];
      // Where pip stops nothing is installed: it has the last word.
      if (!pip) return [];
      const names = ours.requirements.map((one) => one.name);
      const pipNames = pip.requirements.map((one) =>
        (/^[a-z0-9.-]+/.exec(one)?.[0] ?? '').replaceAll('.', '-'),
      );
      const isSame = !pip.reaches && JSON.stringify(names) === JSON.stringify(pipNames);
      return isSame ? [] : [{ written, ours: names, pip }];
    });
    expect(differences.slice(0, 5)).toEqual([]);
    expect(outcomes.accepted).toBeGreaterThan(120);
    expect(outcomes.refused).toBeGreaterThan(120);
  },
);

test.skipIf(isWithoutPip)(
  'files as people write them are accepted, with the specifiers, markers and hashes that pip finds, for 500 of them',
  () => {
    const files = fc.sample(plainText, 500);
    const pips = readByPip(files);
    const canonical = (clauses: string) => clauses.split(',').sort().join(',');
    const differences = files.flatMap((written, index) => {
      const { requirements, refused } = parseRequirements(written);
      const ours = requirements.map(({ name: found, extras, specifier: versions, hashes }) => ({
        name: found,
        extras: [...extras].sort(),
        versions: canonical(versions),
        hashes: hashes.map((hash) => hash.replace(/^sha512:/, '')),
      }));
      const theirs = (pips[index]?.requirements ?? []).map((one) => {
        const [, found = '', extras, versions = ''] =
          /^([a-z0-9.-]+)(?:\[([^\]]*)\])?([^; ]*)/.exec(one) ?? [];
        return {
          name: found.replaceAll('.', '-'),
          extras:
            extras === undefined
              ? []
              : extras
                  .split(',')
                  .map((extra) => extra.replaceAll('.', '-'))
                  .sort(),
          versions: canonical(versions),
          hashes: one.split(' ').filter((word) => /^(?:a{64}|b{128})$/.test(word)),
        };
      });
      const isSame = refused.length === 0 && JSON.stringify(ours) === JSON.stringify(theirs);
      return isSame ? [] : [{ written, refused, ours, theirs }];
    });
    expect(differences.slice(0, 3)).toEqual([]);
  },
);
