"""What would run, and whether the tracking plan may become what it is. Needs no Spark.

./spark-submit.sh plan [--write]                            tables, order and settings; with --write the generated pages of docs/
./spark-submit.sh plan check [--against REVISION | FILE]    conf/events.yaml against the one that git has (HEAD), or another file

`check` ends with one JSON line, and with 1 where a change needs another version of an event.
"""

import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from lakehouse.catalog import TABLES
from lakehouse.commands import reference_pages
from lakehouse.config import PROJECT, load
from lakehouse.config.kafka_options import told
from lakehouse.config.paths import EVENTS
from lakehouse.errors import StitchlakeError
from lakehouse.events.plan_changes import breaking
from lakehouse.events.tracking_plan import UNPLANNED, TrackingPlan, read_plan
from lakehouse.job import json_line
from lakehouse.tables import lineage

WRITE, CHECK, AGAINST = "--write", "check", "--against"


def main(argv: list[str]) -> int:
    """Print the plan, or write the pages and print which of them changed, or check the tracking plan; the exit code.

    Raises:
        StitchlakeError: an argument that is not known; nothing is printed or written then.
        ConfigError, ContractError: a fault of the configuration, or of the tables.
    """
    match argv:
        case []:
            config = load()
            print(lineage.plan(config, TABLES))
            for line in told(config.kafka.options):
                print(line)
        case [word] if word == WRITE:
            for page, is_changed in reference_pages.write(PROJECT).items():
                print(f"{page}: {'written' if is_changed else 'unchanged'}")
        case [word] if word == CHECK:
            return check(EVENTS, "HEAD")
        case [word, option, against] if (word, option) == (CHECK, AGAINST):
            return check(EVENTS, against)
        case _:
            raise StitchlakeError(
                f"plan: got '{' '.join(argv)}', expected no argument, {WRITE}, or {CHECK} [{AGAINST} REVISION or FILE]. "
                "See ./spark-submit.sh help"
            )
    return 0


def check(path: Path, against: str) -> int:
    """Print what of the file's tracking plan needs another version; the exit code. `against`: a file, or a revision of git that has the file."""
    planned = read_plan(path)
    recorded = read_plan(Path(against)) if Path(against).is_file() else committed(path, against)
    faults = breaking(recorded, planned, datetime.now(UTC))
    for fault in faults:
        print(f"{path.name}: {fault}")
    counts = {"events": len(planned.events), "recorded": len(recorded.events), "breaking": len(faults)}
    print(json_line({"command": "plan check", "against": against, **counts}))
    return 1 if faults else 0


def committed(path: Path, revision: str) -> TrackingPlan:
    """The plan that the revision has; none where it has no such file.

    Raises:
        StitchlakeError: there is no such revision, or no git.
    """
    known = _git(path.parent, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if known is None:
        raise StitchlakeError(
            f"plan check: got '{revision}', expected a file, or a revision that git knows in {path.parent}. Name one by {AGAINST}"
        )
    text = _git(path.parent, "show", f"{known.decode().strip()}:./{path.name}")
    if text is None:
        return UNPLANNED
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(text)
        return read_plan(copy)


def _git(folder: Path, *words: str) -> bytes | None:
    """What git prints; None where it fails, or is not there."""
    try:
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
