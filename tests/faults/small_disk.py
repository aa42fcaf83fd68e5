"""A folder on a small file system of its own, which can be filled. Needs to be root of a machine that mounts."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SPARE_BYTES = 2**25  # beyond twice what the folder holds
_PIECE = b"\0" * 2**16
_BALLAST = "_ballast"  # no name of a table's file


@contextmanager
def of_its_own(folder: Path) -> Iterator[None]:
    """While the body runs. Nobody has a file of the folder open at its begin and end; what it holds stays."""
    aside = folder.with_name(f"{folder.name}.aside")
    shutil.copytree(folder, aside)
    held = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
    size = f"size={2 * held + SPARE_BYTES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
    finally:
        # Where the body failed somebody may still have a file open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder)
        aside.rename(folder)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte is left while the body runs."""
    ballast = folder / _BALLAST
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(_PIECE)
    try:
        yield
    finally:
        ballast.unlink()
