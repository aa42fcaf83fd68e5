"""Starting a job: which file, with which spark-submit options, in which environment.

The driver is started directly and starts spark-submit itself, pyspark's own way: `spark-submit job.py` would start the
JVM first and hand the job's output through it, with standard error folded into standard output and no terminal.
Options reach spark-submit unchanged. On a local master the jars, resolved once, go on the driver's class path: no Ivy,
no copy of 70 MB per start.
"""

import difflib
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from lakehouse import jars, machine
from lakehouse.config import PROJECT
from lakehouse.errors import StitchlakeError
from lakehouse.spark.properties import CONF, DEFAULTS, JAVA_OPTIONS, LOCAL, PACKAGES, properties

COMMANDS = (
    "demo",
    "test",
    "up",
    "down",
    "kafka",
    "streaming",
    "plan",
    "whois",
    "identity",
    "rules",
    "sources",
    "quarantine",
    "catalogue",
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
    "identity": "lakehouse/commands/identity.py",
    "quarantine": "lakehouse/commands/quarantine.py",
    "catalogue": "lakehouse/commands/catalogue.py",
    "experiments": "lakehouse/commands/experiments.py",
}
KEPT_LOGS = 20
DRAIN = "--available-now"  # reads what is there, and ends
# The optimising compiler costs a job of a minute more than it saves. One of many minutes is an eighth slower without it.
_DRAIN_OPTIONS = "-XX:TieredStopAtLevel=1"

# Options of spark-submit that take no value; every other takes the next word, unless written --option=value.
_FLAGS = ("--verbose", "-v", "--supervise", "--usage-error", "--version", "--help", "-h")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job: `script` below the project, `options` for spark-submit, `arguments` for the script."""

    script: Path
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

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


def environment(job: Job, environ: Mapping[str, str], *, class_path: list[Path], log: Path) -> dict[str, str]:
    """The environment a job's Python starts in. `class_path`: jars for the driver; empty lets spark-submit resolve them."""
    submit = ["--properties-file", str(DEFAULTS)]
    if class_path:
        submit += ["--driver-class-path", os.pathsep.join(map(str, class_path))]
        for key, value in (properties(LOCAL) | {PACKAGES: ""}).items():
            submit += ["--conf", f"{key}={value}"]
    has_own = _value_of("--properties-file", JAVA_OPTIONS, job.options)
    if DRAIN in job.arguments and not has_own:
        submit += ["--conf", f"{JAVA_OPTIONS}={properties(DEFAULTS)[JAVA_OPTIONS]} {_DRAIN_OPTIONS}"]
    if not job.is_local:
        submit += ["--py-files", str(PROJECT / "build" / "lakehouse.zip")]
    ours = {
        "PYSPARK_SUBMIT_ARGS": shlex.join([*submit, *job.options, "pyspark-shell"]),
        "PYSPARK_PYTHON": sys.executable,
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
    cache = machine.cache_folder()
    class_path: list[Path] = []
    if job.is_local and not _value_of("--driver-class-path", "spark.driver.extraClassPath", job.options):
        class_path = jars.without_those_of_spark(jars.resolve(_packages(), cache), jars.spark_home())
    if not job.is_local:
        (PROJECT / "build").mkdir(exist_ok=True)
        shutil.make_archive(str(PROJECT / "build" / "lakehouse"), "zip", PROJECT, "lakehouse")
    return environment(job, os.environ, class_path=class_path, log=new_log(cache / "logs"))


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


def _packages() -> str:
    """Coordinates of every jar a local job needs."""
    return ",".join(properties(path)[PACKAGES] for path in (DEFAULTS, LOCAL))


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


def _value_of(option: str, key: str, options: tuple[str, ...]) -> str | None:
    """The last value given as `--option value`, `--option=value` or `--conf key=value`; the option wins over --conf."""
    values: dict[str, str] = {}
    for word, following in zip_longest(options, options[1:], fillvalue=""):
        name, has_value, value = word.partition("=")
        name, value = (name, value) if has_value else (word, following)
        if name in ("--conf", "-c"):
            name, _, value = value.partition("=")
        values[name] = value
    return values.get(option) or values.get(key)


def _unknown(target: str, project: Path) -> str:
    known = job_files(project) if target.endswith(".py") else [*COMMANDS, *job_files(project)]
    nearest = difflib.get_close_matches(target, known, n=1, cutoff=0.0)
    kind = "file" if target.endswith(".py") else "command"
    return f"{target}: no such {kind}; did you mean '{nearest[0] if nearest else 'help'}'? See ./spark-submit.sh help"
