"""Starting a job: which file, with which spark-submit options, in which environment.

The driver is started directly and starts spark-submit itself, pyspark's own way: `spark-submit job.py` would start the
JVM first and hand the job's output through it, with standard error folded into standard output and no terminal.
Options reach spark-submit unchanged, but for packages and Python files: a user's are added to ours, where spark-submit would take them
instead. On a local master the jars, resolved once, go on the driver's class path: no Ivy, no copy of 70 MB per start.
"""

import difflib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lakehouse import jars, machine
from lakehouse.config import PROJECT, load
from lakehouse.errors import StitchlakeError
from lakehouse.spark import class_archive
from lakehouse.spark.properties import (
    CONF,
    DEFAULTS,
    JAVA_OPTIONS,
    LOCAL,
    PACKAGES,
    S3,
    S3_SCHEME,
    SHARED_OPTIONS,
    properties,
)

COMMANDS = (
    "demo",
    "test",
    "up",
    "down",
    "kafka",
    "streaming",
    "plan",
    "whois",
    "consent",
    "identity",
    "person",
    "audit",
    "model",
    "rules",
    "features",
    "audiences",
    "sources",
    "quarantine",
    "catalogue",
    "sql-server",
    "adopt",
    "experiments",
    "schedule",
    "serve",
    "key",
    "help",
)
SCRIPTS = {
    "demo": "lakehouse/demo/main.py",
    "streaming": "streaming/__main__.py",
    "whois": "lakehouse/commands/whois.py",
    "consent": "lakehouse/commands/consent.py",
    "identity": "lakehouse/commands/identity.py",
    "person": "lakehouse/commands/person.py",
    "quarantine": "lakehouse/commands/quarantine.py",
    "catalogue": "lakehouse/commands/catalogue.py",
    "sql-server": "lakehouse/commands/sql_server.py",
    "experiments": "lakehouse/commands/experiments.py",
}
TESTS = "tests"
KEPT_LOGS = 20
DRAIN = "--available-now"  # reads what is there, and ends
# The optimising compiler costs a job of a minute more than it saves. One of many minutes is an eighth slower without it.
_DRAIN_OPTIONS = "-XX:TieredStopAtLevel=1"

# Options of spark-submit that take no value; every other takes the next word, unless written --option=value.
_FLAGS = ("--verbose", "-v", "--supervise", "--usage-error", "--version", "--help", "-h")
_OF_IVY = ("--repositories", "--exclude-packages")  # what a user says of packages besides their names
_PACKAGES, _PY_FILES = ("--packages", PACKAGES), ("--py-files", "spark.submit.pyFiles")  # lists that we begin
SHIPPED = "lakehouse.zip"  # our package, for executors on other machines


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job: `script` below the project, `options` for spark-submit, `arguments` for the script."""

    script: Path
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def ends_by_itself(self) -> bool:
        """Whether it does much, and then ends: its JVM knows by then whatever the next one will load."""
        is_suite = self.script == PROJECT / TESTS and not self.arguments
        return is_suite or DRAIN in self.arguments or self.script == PROJECT / SCRIPTS["demo"]

    @property
    def is_local(self) -> bool:
        return (_value_of("--master", "spark.master", self.options) or "local").startswith("local")


def parse(argv: list[str], project: Path = PROJECT) -> Job:
    """`[spark-submit options] <command or file> [arguments]`.

    Raises:
        StitchlakeError: no such command or file (with the nearest), an option without value, or a cluster deploy mode.
    """
    options, rest = _split(argv)
    if not rest:
        raise StitchlakeError(
            f"{shlex.join(argv)}: names no job, expected <folder>/<job>.py. See ./spark-submit.sh help"
        )
    target, *arguments = rest
    script = project / SCRIPTS.get(target, target)
    if not (target in SCRIPTS or target.endswith(".py")) or not script.is_file():
        raise StitchlakeError(_unknown(target, project))
    if _value_of("--deploy-mode", "spark.submit.deployMode", tuple(options)) == "cluster":
        raise StitchlakeError(
            "--deploy-mode: got cluster, expected client: the driver reads conf/ beside it. Start it on a machine of the cluster"
        )
    return Job(script=script, options=tuple(options), arguments=tuple(arguments))


def environment(
    job: Job, environ: Mapping[str, str], *, class_path: list[Path], log: Path, root: str = "", shared: str = ""
) -> dict[str, str]:
    """The environment a job's Python starts in. `class_path`: jars for the driver; empty lets spark-submit resolve them. `root`: of the lake.
    `shared`: the JVM's options for classes it shares.
    """
    submit = ["--properties-file", str(DEFAULTS)]
    settings = properties(S3) if root.startswith(S3_SCHEME) else {}
    if class_path:
        submit += ["--driver-class-path", os.pathsep.join(map(str, class_path))]
        settings |= properties(LOCAL)
    if shared:
        settings[SHARED_OPTIONS] = shared
    settings[PACKAGES] = "" if class_path else packages(job, root)
    has_own = _value_of("--properties-file", JAVA_OPTIONS, job.options)
    if DRAIN in job.arguments and not has_own:
        settings[JAVA_OPTIONS] = f"{properties(DEFAULTS)[JAVA_OPTIONS]} {_DRAIN_OPTIONS}"
    if not job.is_local:
        submit += ["--py-files", _joined(str(PROJECT / "build" / SHIPPED), _value_of(*_PY_FILES, job.options))]
        # It lies in the folder an executor runs in, whose Python imports it before Spark has told it of any file.
        settings["spark.executorEnv.PYTHONPATH"] = SHIPPED
    for key, value in settings.items():
        submit += ["--conf", f"{key}={value}"]
    added = _PACKAGES if job.is_local else _PACKAGES + _PY_FILES
    theirs = [word for option in _read(job.options) if option.name not in added for word in option.words]
    elsewhere = None if job.is_local else environ.get("PYSPARK_PYTHON")
    ours = {
        "PYSPARK_SUBMIT_ARGS": shlex.join([*submit, *theirs, "pyspark-shell"]),
        "PYSPARK_PYTHON": elsewhere or sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_HOME": str(jars.spark_home()),
        "SPARK_CONF_DIR": str(CONF),
        "STITCHLAKE_JVM_LOG": str(log),
    }
    if job.is_local:
        ours["SPARK_LOCAL_IP"] = "127.0.0.1"
    return {"PYTHONWARNINGS": "ignore::FutureWarning", **environ, **ours}


def prepare(job: Job) -> dict[str, str]:
    """Resolve the jars on first use, make room for a log; returns the job's environment."""
    cache, root = machine.cache_folder(), load().lake.root
    class_path: list[Path] = []
    if job.is_local and not _value_of("--driver-class-path", "spark.driver.extraClassPath", job.options):
        of_ivy = [word for option in _read(job.options) if option.name in _OF_IVY for word in option.words]
        resolved = jars.resolve(packages(job, root), cache, options=of_ivy)
        class_path = jars.without_those_of_spark(resolved, jars.spark_home())
    loaded = [*class_path, *sorted((jars.spark_home() / "jars").glob("*.jar"))]
    shared = class_archive.options(cache, loaded, is_left=job.ends_by_itself) if class_path else ""
    if not job.is_local:
        ship(PROJECT / "build")
    return environment(job, os.environ, class_path=class_path, log=new_log(cache / "logs"), root=root, shared=shared)


def packages(job: Job, root: str) -> str:
    """Coordinates of every jar a job needs on the lake at `root`: ours, and those the user asks for besides."""
    files = [DEFAULTS, *([LOCAL] if job.is_local else []), *([S3] if root.startswith(S3_SCHEME) else [])]
    own = _value_of("--properties-file", "", job.options)
    in_file = properties(Path(own)).get(PACKAGES) if own and Path(own).is_file() else None
    theirs = _value_of(*_PACKAGES, job.options) or in_file
    return _joined(*(properties(path)[PACKAGES] for path in files), theirs)


def ship(folder: Path) -> None:
    """Our package as one file in the folder. It is whole at any moment: a job that was started before may be reading it."""
    folder.mkdir(exist_ok=True)
    made = shutil.make_archive(str(folder / f"lakehouse-{os.getpid()}"), "zip", PROJECT, "lakehouse")
    Path(made).replace(folder / SHIPPED)


def command(job: Job) -> list[str]:
    return [sys.executable, str(job.script), *job.arguments]


def new_log(folder: Path) -> Path:
    """A log of its own for this process; the oldest go."""
    folder.mkdir(parents=True, exist_ok=True)
    old = sorted(folder.glob("jvm-*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in old[KEPT_LOGS - 1 :]:
        path.unlink(missing_ok=True)
    return folder / f"jvm-{os.getpid()}.log"


def job_files(project: Path = PROJECT) -> list[str]:
    """Every file that can be started by name, relative to the project."""
    jobs = [*(path for folder in ("streaming", "batch", "ml") for path in (project / folder).glob("*.py"))]
    jobs += (project / "tests" / "benchmarks").glob("*.py")
    return sorted(str(path.relative_to(project)) for path in jobs if path.name != "__init__.py")


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    options, rest = [], list(argv)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        options.append(option)
        if "=" not in option.partition(" ")[0] and option not in _FLAGS:
            if not rest:
                raise StitchlakeError(f"{option}: needs a value and a job after it. See ./spark-submit.sh help")
            options.append(rest.pop(0))
    return options, rest


class _Option(NamedTuple):
    """One of spark-submit's, with its value, and as it was written. name: of the setting, where it is one of --conf."""

    name: str
    value: str
    words: tuple[str, ...]


def _read(options: tuple[str, ...]) -> Iterator[_Option]:
    """`--option value`, `--option=value`, `--conf key=value` and flags, in their order."""
    rest = options
    while rest:
        name, is_joined, value = rest[0].partition("=")
        words = rest[: 1 if is_joined or name in _FLAGS else 2]
        value = value if is_joined else words[-1]
        if name in ("--conf", "-c"):
            name, _, value = value.partition("=")
        yield _Option(name, value, words)
        rest = rest[len(words) :]


def _value_of(option: str, key: str, options: tuple[str, ...]) -> str | None:
    """The last value given for the option or, where it is not given, for the setting."""
    values = {one.name: one.value for one in _read(options)}
    return values.get(option) or values.get(key)


def _joined(*lists: str | None) -> str:
    """Lists with commas as one; null and empty = nothing."""
    return ",".join(one for one in lists if one)


def _unknown(target: str, project: Path) -> str:
    known = job_files(project) if target.endswith(".py") else [*COMMANDS, *job_files(project)]
    nearest = difflib.get_close_matches(target, known, n=1, cutoff=0.0)
    kind = "file" if target.endswith(".py") else "command"
    return f"{target}: no such {kind}; did you mean '{nearest[0] if nearest else 'help'}'? See ./spark-submit.sh help"
