"""A real PostgreSQL on a free port of 127.0.0.1, with a password, gone afterwards. Imported by conftest.py.

The fixture `postgres_port`: one for the test run.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lakehouse import machine
from lakehouse.errors import StitchlakeError

SECRET = "hush-hush"
_PROGRAMS = ("initdb", "pg_ctl", "psql")


def missing() -> list[str]:
    """Programs of PostgreSQL that are not on the path."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


@contextmanager
def postgres() -> Iterator[int]:
    """A server of its own; its port."""
    if lacking := missing():
        raise StitchlakeError(
            f"{lacking[0]}: not installed, expected PostgreSQL's programs on the path. Install postgresql"
        )
    owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name  # it does not run as root
    port = machine.free_port()
    with TemporaryDirectory(prefix="stitchlake-postgres-") as folder:
        shutil.chown(folder, owner)
        secret = Path(folder, "secret")
        secret.write_text(SECRET)
        secret.chmod(0o644)
        data = f"{folder}/data"

        def do(*command: str) -> None:
            subprocess.run(
                command, user=owner if os.geteuid() == 0 else None, cwd=folder, check=True, stdout=subprocess.DEVNULL
            )

        do("initdb", "-D", data, "-U", "shop", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
        do("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", f"-p {port} -k {folder} -h 127.0.0.1", "start")
        try:
            yield port
        finally:
            do("pg_ctl", "-D", data, "-m", "immediate", "stop")


def sql(port: int, text: str) -> None:
    command = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "shop", "-d", "postgres", "-q", "-c", text]
    subprocess.run(command, env=os.environ | {"PGPASSWORD": SECRET}, check=True)


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    if missing():
        pytest.skip("no PostgreSQL on this machine; .ci/run installs it")
    with postgres() as port:
        yield port
