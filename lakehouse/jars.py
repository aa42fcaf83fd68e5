"""Jars by Maven coordinates, resolved once by pyspark's own Ivy and then remembered as a list of files."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from lakehouse import machine
from lakehouse.errors import StitchlakeError

# spark-submit puts the jars it resolved on the Python path of the script it starts, so a script can print them.
_LIST_JARS = (
    "import os\nprint('\\n'.join(p for p in os.environ['PYTHONPATH'].split(os.pathsep) if p.endswith('.jar')))\n"
)


def spark_home() -> Path:
    """The Spark inside the installed pyspark, found without importing it."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StitchlakeError("pyspark: not installed, got no such package. Start through ./spark-submit.sh")
    return Path(spec.origin).parent


def resolve(packages: str, cache: Path, *, ivy: Path | None = None, options: Sequence[str] = ()) -> list[Path]:
    """The jar files of `packages` (comma-separated coordinates) with all they need, in class path order.

    The first call resolves by Ivy; the list is kept in `cache` and trusted while every file of it exists. `ivy`: a folder of
    its own for these jars instead of Spark's default one. `options`: of spark-submit, as `--repositories` and its value.

    Raises:
        StitchlakeError: Ivy could not resolve, with its first reason.
    """
    name = hashlib.sha256(" ".join([packages, str(spark_home()), str(ivy), *options]).encode()).hexdigest()[:16]
    stamp = cache / f"jars-{name}.txt"
    jars = _remembered(stamp)
    if not jars:
        with machine.file_lock(
            stamp.with_suffix(".lock")
        ):  # two first uses at once: the second waits, then finds the list
            jars = _remembered(stamp) or _resolve_by_ivy(packages, ivy, options)
            _write(stamp, "\n".join(map(str, jars)))
    return jars


def without_those_of_spark(jars: Iterable[Path], home: Path) -> list[Path]:
    """`jars` less the artifacts Spark brings itself in another version; on the class path its own must win."""
    own = {artifact(path.name) for path in (home / "jars").glob("*.jar")}
    return [jar for jar in jars if jar.parent != home / "jars" and artifact(jar.name.partition("_")[2]) not in own]


def artifact(file_name: str) -> str:
    """Name of a jar without its version: `jackson-core-2.21.2.jar` -> `jackson-core`."""
    return re.sub(r"-\d[\w.]*(-\w+)?\.jar$", "", file_name)


def _remembered(stamp: Path) -> list[Path]:
    if not stamp.is_file():
        return []
    jars = [Path(line) for line in stamp.read_text(encoding="utf-8").splitlines()]
    return jars if all(jar.is_file() for jar in jars) else []


def _resolve_by_ivy(packages: str, ivy: Path | None, options: Sequence[str]) -> list[Path]:
    print(f"first use: fetching the jars of {packages}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "list_jars.py"
        script.write_text(_LIST_JARS, encoding="utf-8")
        command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local[1]", "--packages", packages]
        command += ["--conf", f"spark.jars.ivy={ivy}"] if ivy else []
        done = subprocess.run(
            [*command, *options, "--conf", f"spark.pyspark.python={sys.executable}", str(script)],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=_environment(folder),
        )
    jars = [
        Path(line)
        for line in done.stdout.splitlines()
        if line.endswith(".jar") and spark_home() not in Path(line).parents
    ]
    if done.returncode or not jars:
        raise StitchlakeError(
            f"{packages}: not resolved, got {_reason(done.stderr)}, expected jars from Maven. Check the network, try again"
        )
    return jars


def _environment(conf_folder: str) -> dict[str, str]:
    """Spark's defaults file would name the packages again and our log switch would swallow the reason of a failure."""
    dropped = ("SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "STITCHLAKE_JVM_LOG", "PYSPARK_DRIVER_PYTHON")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"SPARK_CONF_DIR": conf_folder, "SPARK_LOCAL_IP": "127.0.0.1"}


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if "unresolved dependency" in line]
    telling = [line for line in lines if re.search(r"(?i)not found|error|exception|refused|failed", line)]
    return repr((named or telling or lines or ["no output"])[0][:200])


def _write(path: Path, text: str) -> None:
    """All or nothing, so that a killed first use leaves no half list."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
