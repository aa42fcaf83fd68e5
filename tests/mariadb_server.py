"""A real MariaDB on a free port of 127.0.0.1, with a password, gone afterwards. Imported by conftest.py.

The fixture `mariadb_port`: one for the test run.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pymysql
import pytest

from lakehouse import machine
from lakehouse.errors import StitchlakeError

SECRET = "hush-hush"
DATABASE = "shop"
START_SECONDS = 60.0
_PROGRAMS = ("mariadbd", "mariadb-install-db", "my_print_defaults")
_SYSTEM = "/usr/sbin"  # where Debian puts the server, off the path of most users


def missing() -> list[str]:
    """Programs of MariaDB that are not on this machine."""
    return [program for program in _PROGRAMS if _program(program) is None]


@contextmanager
def mariadb() -> Iterator[int]:
    """Its port. The user is `shop`, with SECRET, and owns the database DATABASE. Raises StitchlakeError: it is not installed."""
    if absent := missing():
        raise StitchlakeError(
            f"mariadb: got no {absent[0]}, expected Debian's programs. Install it with apt install mariadb-server-core mariadb-client-core"
        )
    owner = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name  # it does not run as root
    port = machine.free_port()
    with TemporaryDirectory(prefix="stitchlake-mariadb-") as folder:
        shutil.chown(folder, owner)
        data = f"--datadir={folder}/data"
        user = owner if os.geteuid() == 0 else None
        with Path(folder, "log").open("w") as log:
            install = [
                str(_program("mariadb-install-db")),
                "--no-defaults",
                data,
                "--auth-root-authentication-method=normal",
            ]
            subprocess.run([*install, "--skip-test-db"], check=True, stdout=log, stderr=log, user=user, cwd=folder)
            init = Path(folder, "init.sql")
            init.write_text(
                f"CREATE DATABASE {DATABASE};\nCREATE USER shop@'127.0.0.1' IDENTIFIED BY '{SECRET}';\n"
                f"GRANT ALL ON {DATABASE}.* TO shop@'127.0.0.1';\n"
            )
            init.chmod(0o644)
            server = [str(_program("mariadbd")), "--no-defaults", data, f"--port={port}", "--bind-address=127.0.0.1"]
            server += [f"--socket={folder}/socket", f"--pid-file={folder}/pid", f"--init-file={init}"]
            server += ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-name-resolve"]
            process = subprocess.Popen(server, stdout=log, stderr=log, user=user, cwd=folder)
        try:
            is_up = machine.wait_until(lambda: process.poll() is not None or _answers(port), START_SECONDS)
            assert is_up, "no answer"
            assert process.poll() is None, Path(folder, "log").read_text()[-2000:]
            yield port
        finally:
            process.terminate()
            process.wait()


def connected(port: int) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    """To the database, as its owner; every statement is a transaction."""
    return pymysql.connect(
        host="127.0.0.1",
        port=port,
        user="shop",
        password=SECRET,
        database=DATABASE,
        autocommit=True,
        ssl_disabled=True,
        local_infile=True,
    )


def _answers(port: int) -> bool:
    try:
        connected(port).close()
    except pymysql.Error:
        return False
    return True


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SYSTEM)


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    if missing():
        pytest.skip("no MariaDB on this machine; .ci/run installs it")
    with mariadb() as port:
        yield port
