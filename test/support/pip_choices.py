"""What pip chooses from folders of wheels, by its own resolver, in one process for many sets.

    python pip_choices.py <folder that pip is in>

Reads a set a line, {"folder", "requirements"}: paths of a folder with wheels and of a requirements file. Writes a line for
each: {"chosen": [[file, requested, name as written]]}, in the order of
installation, or {"failed": <class of the error>, "why": <its text>}; "warnings" has what pip warns of.
With "cli" in a set the command line answers: pip install --dry-run --report.
"""
import json
import logging
import logging.config
import os
import sys
import tempfile
import traceback
from urllib.parse import unquote

sys.path.insert(0, sys.argv[1])
os.environ["PIP_CONFIG_FILE"] = os.devnull
for name in [name for name in os.environ if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"]:
    del os.environ[name]

from pip._internal.cli.main import main as pip_main
from pip._internal.commands import create_command
from pip._internal.operations.build.build_tracker import get_build_tracker
from pip._internal.resolution.resolvelib.provider import PipProvider
from pip._internal.utils.logging import setup_logging
from pip._internal.utils.temp_dir import TempDirectory, global_tempdir_manager, tempdir_registry

warnings = []


class Warnings(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            warnings.append(record.getMessage())


def arguments(one):
    return ["--isolated", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--no-index",
            "--find-links", one["folder"], "--only-binary", ":all:", "--dry-run", "--ignore-installed",
            "--requirement", one["requirements"]]


def choose(command, one):
    options, rest = command.parser.parse_args(arguments(one))
    options.ignore_installed = True
    with command.main_context():
        command.tempdir_registry = command.enter_context(tempdir_registry())
        command.enter_context(global_tempdir_manager())
        session = command.get_default_session(options)
        finder = command._build_package_finder(options=options, session=session)
        tracker = command.enter_context(get_build_tracker())
        directory = TempDirectory(delete=True, kind="install", globally_managed=True)
        wanted = command.get_requirements(rest, options, finder, session)
        preparer = command.make_requirement_preparer(
            temp_build_dir=directory, options=options, build_tracker=tracker, session=session, finder=finder,
            use_user_site=False, verbosity=0, allow_editables=True)
        resolver = command.make_resolver(
            preparer=preparer, finder=finder, options=options, wheel_cache=None, use_user_site=False,
            ignore_installed=True, ignore_requires_python=False, force_reinstall=False,
            upgrade_strategy="to-satisfy-only", py_version_info=None)
        found = resolver.resolve(wanted, check_supported_wheels=True)
        order = resolver.get_installation_order(found)
        return [[os.path.basename(one.link.file_path), one.user_supplied, one.req.name] for one in order]


def by_command_line(one):
    handle, report = tempfile.mkstemp(suffix=".json")
    os.close(handle)
    code = pip_main(["install", *arguments(one), "--quiet", "--quiet", "--report", report])
    if code:
        os.unlink(report)
        return {"failed": "exit %s" % code, "why": ""}
    with open(report, encoding="utf-8") as file:
        found = json.load(file)["install"]
    os.unlink(report)
    return {"chosen": [[unquote(one["download_info"]["url"].rsplit("/", 1)[1]), one["requested"], None] for one in found]}


def main():
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    setup_logging(verbosity=-3, no_color=True, user_log_file=None)
    logging.getLogger("pip").addHandler(Warnings())
    logging.getLogger("pip").setLevel(logging.WARNING)
    for line in sys.stdin:
        one = json.loads(line)
        del warnings[:]
        PipProvider.is_satisfied_by.cache_clear()
        if one.get("cli"):
            answer = by_command_line(one)
        else:
            try:
                answer = {"chosen": choose(create_command("install"), one)}
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                answer = {"failed": type(error).__name__, "why": str(error)[:300]}
                if os.environ.get("PIP_TRACE"):
                    answer["trace"] = traceback.format_exc()
        answer["warnings"] = list(warnings)
        out.write(json.dumps(answer) + "\n")
        out.flush()


main()
