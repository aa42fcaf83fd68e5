"""First use: makes `.venv` and installs a requirements file into it. Runs before anything is installed: standard library only.

Started by spark-submit.sh as a script with the requirements file as its argument. Two at once wait for each other. What
is installed is noted by a copy of the file, written last, so a failed or interrupted installation is done again.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
WORK = ROOT / "build"
NEEDED_GB = 2.0
GB = 1024**3


class PreflightError(Exception):
    """What is missing on this machine, in one line, with the remedy."""


def main(file: str) -> int:
    requirements = ROOT / file
    try:
        WORK.mkdir(exist_ok=True)
        with (WORK / "install.lock").open("w") as lock:
            if not _take(lock):
                _say("first use: another process is installing, waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_installed(requirements, VENV):
                install(requirements, VENV, half_made=WORK / "installing")
    except PreflightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"error: {ROOT}: cannot be written, got {error.strerror}, expected a folder of yours. Mend that",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("error: interrupted. The next use installs again", file=sys.stderr)
        return 130
    return 0


def is_installed(requirements: Path, venv: Path) -> bool:
    stamp = stamp_of(requirements, venv)
    python = venv / "bin" / "python"
    return python.exists() and stamp.is_file() and stamp.read_bytes() == requirements.read_bytes()


def stamp_of(requirements: Path, venv: Path) -> Path:
    """The copy that notes what is installed: `.installed-tests-requirements.txt` for tests/requirements.txt."""
    return venv / f".installed-{'-'.join(requirements.relative_to(ROOT).parts)}"


def install(requirements: Path, venv: Path, *, half_made: Path) -> None:
    """Make `venv` when missing or left half made, then pip install. `half_made` exists while that goes on.

    Raises:
        PreflightError: too little disk, no venv module, or pip failed, with its last complaint.
    """
    check_disk(venv.parent, shutil.disk_usage(venv.parent).free / GB)
    started = time.monotonic()
    is_new = half_made.exists() or not (venv / "bin" / "python").exists()
    half_made.touch()
    if is_new:
        _say(f"first use: making {venv.name}")
        make_venv(venv)
    try:
        _pip(requirements, venv)
    except PreflightError:
        half_made.unlink()  # pip undoes a failure itself; only a killed one leaves halves
        raise
    shutil.copyfile(requirements, part := venv / f".part-{os.getpid()}")
    part.replace(stamp_of(requirements, venv))
    half_made.unlink()
    _say(f"first use: installed in {time.monotonic() - started:.0f} s", last=True)


def check_disk(folder: Path, free_gb: float) -> None:
    if free_gb < NEEDED_GB:
        raise PreflightError(
            f"{folder}: too little disk, got {free_gb:.1f} GB free, expected {NEEDED_GB:.0f} GB for the installation. Free some space"
        )


def make_venv(venv: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise PreflightError(
            f"{sys.executable}: cannot make a virtual environment, got {_last(done.stdout + done.stderr)!r}, "
            f"expected its venv module. Install it, for example: apt install python{version}-venv"
        )


def _pip(requirements: Path, venv: Path) -> None:
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    # --no-compile: byte code is made when a module is first imported, which most never are.
    pip += [
        "--no-compile",
        "--progress-bar",
        "off",
        "--constraint",
        str(ROOT / "requirements.txt"),
        "-r",
        str(requirements),
    ]
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    with (venv / "install.log").open("w") as log:
        process = subprocess.Popen(
            pip, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ
        )
        assert process.stdout is not None
        collected = 0
        for line in process.stdout:
            log.write(line)
            collected += line.startswith("Collecting ")
            step = "unpacking" if line.startswith(("Installing", "Building")) else "fetching"
            _say(
                f"first use: installing {requirements.relative_to(ROOT)} into {venv.name}: {step}, {collected} packages"
            )
        code = process.wait()
    if code:
        text = (venv / "install.log").read_text(encoding="utf-8", errors="replace")
        errors = [line for line in text.splitlines() if line.startswith("ERROR")]
        raise PreflightError(
            f"{requirements.relative_to(ROOT)}: not installed, got {_last(os.linesep.join(errors) or text)!r}, "
            f"expected pip to succeed. Check the network and try again; all of it is in {venv.name}/install.log"
        )


def _last(text: str) -> str:
    return next((line.strip()[:300] for line in reversed(text.splitlines()) if line.strip()), "no output")


def _take(lock: object) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        return False
    return True


_said: list[str] = []


def _say(text: str, *, last: bool = False) -> None:
    """A status line on a terminal; elsewhere one line whenever the words, not the numbers, change."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\033[K{text[:width]}", end="\n" if last else "", file=sys.stderr, flush=True)
    elif (words := text.rpartition(":")[0] if "packages" in text else text) not in _said:
        _said.append(words)
        print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
