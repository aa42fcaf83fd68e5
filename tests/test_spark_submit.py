"""The entry script, on a copy of the project whose requirements are empty: nothing is fetched, everything else is real."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from lakehouse.config import PROJECT

TOOLS = ("bash", "cat", "cmp", "dirname", "head", "readlink", "sed", "tr", "uname", "env")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copy = tmp_path / "a project"  # with a blank, as people have them
    copy.mkdir()
    shutil.copy(PROJECT / "spark-submit.sh", copy)
    for folder in ("lakehouse", "conf"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "batch").mkdir()
    (copy / "batch" / "rebuild.py").write_text("")
    (copy / "tests").mkdir()
    (copy / "requirements.txt").write_text("# nothing\n")
    return copy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder of programs to be the whole PATH: the tools of a bare system and this Python, no Java."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    (folder / "python3").symlink_to(sys.executable)
    return folder


def program(folder: Path, name: str, text: str) -> None:
    """A program that prints `text` on standard error, as `java -version` does, and fails with 1 when there is none."""
    file = folder / name
    file.unlink(missing_ok=True)
    file.write_text(f"#!/bin/sh\necho '{text}' >&2\nexit {0 if text else 1}\n")
    file.chmod(0o755)


def pretend_installed(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(project / "requirements.txt", project / ".venv" / ".installed-requirements.txt")


@pytest.fixture(scope="module")
def made_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip and nothing installed, as a first use leaves it that pip could not end."""
    venv = tmp_path_factory.mktemp("made") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
    return venv


@pytest.fixture
def with_venv(project: Path, made_venv: Path) -> Path:
    """The project, for tests of what is installed, not of how `.venv` is made: that takes seconds."""
    shutil.copytree(made_venv, project / ".venv", symlinks=True)
    return project


def submit(project: Path, path: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    clean = {"PATH": str(path), "HOME": str(project), "STITCHLAKE_CACHE": str(project / "cache")}
    command = [str(project / "spark-submit.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=clean | environ, cwd="/", check=False)


def only_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line of standard error of a call that was refused with 2 and said nothing else."""
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    return line


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",), ("-h",)])
def test_usage_needs_no_installation(project: Path, path: Path, arguments: tuple[str, ...]) -> None:
    done = submit(project, path, *arguments)
    assert done.stdout == (PROJECT / "lakehouse" / "commands" / "usage.txt").read_text()
    assert not (project / ".venv").exists()


def test_each_command_of_the_usage_installs_what_it_needs() -> None:
    """But for `help`, which needs nothing. Whoever asks for one first on a fresh machine must not be told of a missing module."""
    usage = (PROJECT / "lakehouse" / "commands" / "usage.txt").read_text().splitlines()
    told = [re.split(r"  |\[|<", line.strip())[0].split(" ") for line in usage if re.match(r"  [a-z]", line)]
    words = {word for first, *others in told for word in (first, *others[1:]) if first == word or others[:1] == ["|"]}
    script = (PROJECT / "spark-submit.sh").read_text()
    installing = re.findall(r"^  ([\w| .*-]+)\)(?=[^;]*install requirements\.txt)", script, re.MULTILINE)
    installed = {word.strip() for line in installing for word in line.split("|")}
    commands = {word for word in words if word.isidentifier() or "-" in word}
    assert {"demo", "down", "audit", "person", "sql-server"} <= commands
    assert commands - installed == {"help"}


def test_plan_needs_no_java(project: Path, path: Path) -> None:
    done = plan(project, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "streaming/events.py" in done.stdout


def test_byte_code_is_kept_where_a_container_says_not_to(project: Path, path: Path) -> None:
    plan(project, path, PYTHONDONTWRITEBYTECODE="1")
    assert list((project / "lakehouse" / "commands").glob("__pycache__/launcher.*.pyc"))


def plan(project: Path, path: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """`plan` where everything is installed: a table is declared beside its transform, so listing it imports pyspark."""
    pretend_installed(project)
    return submit(project, path, "plan", PYTHONPATH=sysconfig.get_path("purelib"), **environ)


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("pln", "plan"), ("demoo", "demo"), ("kafak", "kafka"), ("batch/rebuild", "batch/rebuild.py")],
)
def test_an_unknown_command_names_the_nearest_and_installs_nothing(
    project: Path, path: Path, typed: str, nearest: str
) -> None:
    assert only_line(submit(project, path, typed)).startswith(
        f"error: {typed}: no such command; did you mean '{nearest}'?"
    )
    assert not (project / ".venv").exists()


def test_a_typo_in_the_configuration_is_one_line_with_the_nearest_key(project: Path, path: Path) -> None:
    line = only_line(plan(project, path, STITCHLAKE__KAFKA__TOPCS="x"))
    assert line == "error: environment: [kafka] unknown key 'topcs'; did you mean 'events_topic'?"


def test_every_fault_of_the_configuration_is_a_line_of_its_own(project: Path, path: Path) -> None:
    done = plan(project, path, STITCHLAKE__KAFKA__TOPCS="x", STITCHLAKE__KAFKA__PARTITIONS="0")
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "error"]


def test_missing_java_is_one_line_with_the_remedy(project: Path, path: Path) -> None:
    line = only_line(submit(project, path, "demo"))
    assert line.startswith(
        "error: Java: got none, expected 17 or newer. Install it, for example: apt install openjdk-17"
    )


@pytest.mark.parametrize(("version", "major"), [("1.8.0_402", "8"), ("11.0.2", "11"), ("16", "16")])
def test_an_old_java_is_named_with_its_version(project: Path, path: Path, version: str, major: str) -> None:
    program(path, "java", f'openjdk version "{version}" 2020-01-01')
    assert f"Java: got Java {major}, expected 17 or newer" in only_line(submit(project, path, "streaming"))


def test_a_java_that_does_not_run_is_none(project: Path, path: Path) -> None:
    program(path, "java", "")
    assert "Java: got none" in only_line(submit(project, path, "streaming"))


def test_java_home_is_named_when_it_is_the_old_one(project: Path, path: Path, tmp_path: Path) -> None:
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    program(tmp_path / "jdk" / "bin", "java", 'openjdk version "11.0.2"')
    assert "got Java 11 in JAVA_HOME" in only_line(submit(project, path, "demo", JAVA_HOME=str(tmp_path / "jdk")))


@pytest.mark.parametrize("version", ["17.0.15", "17", "21.0.1", "25"])
def test_a_new_java_on_the_path_serves_although_java_home_is_old(
    project: Path, path: Path, tmp_path: Path, version: str
) -> None:
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    program(tmp_path / "jdk" / "bin", "java", 'openjdk version "11.0.2"')
    program(path, "java", f'openjdk version "{version}"')
    pretend_installed(project)
    line = only_line(submit(project, path, "batch/rebiuld.py", JAVA_HOME=str(tmp_path / "jdk")))
    assert line.startswith("error: batch/rebiuld.py: no such file; did you mean 'batch/rebuild.py'?")


def test_an_old_python_is_one_line_with_its_version(project: Path, path: Path) -> None:
    program(path, "python3", "")
    (path / "python3").write_text("#!/bin/sh\n[ $1 = --version ] && echo Python 3.9.2 || exit 1\n")
    line = only_line(submit(project, path, "plan"))
    assert line.startswith("error: Python: got Python 3.9.2, expected 3.11 or newer. Install it, for example")


def test_missing_python_is_one_line(project: Path, path: Path) -> None:
    (path / "python3").unlink()
    assert only_line(submit(project, path, "plan")).startswith("error: Python: got none, expected 3.11 or newer")


def test_the_script_may_be_called_through_a_link_from_anywhere(project: Path, path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.sh").symlink_to(project / "spark-submit.sh")
    environ = {"PATH": str(path), "HOME": str(tmp_path)}
    done = subprocess.run([str(tmp_path / "link.sh"), "help"], capture_output=True, text=True, env=environ, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")


class TestInstalling:
    """With a real virtual environment, made from empty requirements."""

    def test_once_and_again_only_when_the_requirements_change(self, project: Path, path: Path) -> None:
        first = submit(project, path, "kafka", "status")
        assert (first.returncode, first.stdout) == (1, "not running\n")
        assert [line.split(":")[0] for line in first.stderr.splitlines()] == ["first use"] * len(
            first.stderr.splitlines()
        )
        assert submit(project, path, "kafka", "status").stderr == ""
        (project / "requirements.txt").write_text("# still nothing\n")
        assert "first use: installed" in submit(project, path, "kafka", "status").stderr
        assert submit(project, path, "kafka", "status").stderr == ""

    @pytest.mark.parametrize("command", ["test", "tests/benchmarks/bandits.py"])
    def test_tests_and_benchmarks_bring_what_only_they_need(self, with_venv: Path, path: Path, command: str) -> None:
        project = with_venv
        program(path, "java", 'openjdk version "17.0.15"')
        (project / "tests" / "requirements.txt").write_text("# of tests alone\n")
        submit(project, path, command)
        stamp = project / ".venv" / ".installed-tests-requirements.txt"
        assert stamp.read_text() == "# of tests alone\n"

    def test_nothing_else_brings_what_only_tests_need(self, with_venv: Path, path: Path) -> None:
        project = with_venv
        submit(project, path, "kafka", "status")
        assert [file.name for file in (project / ".venv").glob(".installed-*")] == [".installed-requirements.txt"]

    def test_two_first_uses_at_once_install_once(self, project: Path, path: Path) -> None:
        environ = {"PATH": str(path), "HOME": str(project)}
        command = [str(project / "spark-submit.sh"), "kafka", "status"]
        both = [
            subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        told = [process.communicate() for process in both]
        assert [out for out, _ in told] == ["not running\n"] * 2
        assert sum("making .venv" in errors for _, errors in told) == 1

    def test_a_killed_installation_is_made_anew(self, project: Path, path: Path) -> None:
        environ = {"PATH": str(path), "HOME": str(project)}
        command = [str(project / "spark-submit.sh"), "kafka", "status"]
        with subprocess.Popen(
            command, env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "first use: making .venv\n"
            os.killpg(process.pid, signal.SIGKILL)
        assert (project / "build" / "installing").exists()
        again = submit(project, path, "kafka", "status")
        assert again.stdout == "not running\n"
        assert "first use: making .venv" in again.stderr
        assert not (project / "build" / "installing").exists()

    def test_a_failed_installation_is_one_line_and_tried_again(self, with_venv: Path, path: Path) -> None:
        project = with_venv
        (project / "requirements.txt").write_text("./no-such-folder\n")
        done = submit(project, path, "kafka", "status")
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("error: requirements.txt: not installed, got ")
        (project / "requirements.txt").write_text("# nothing\n")
        assert submit(project, path, "kafka", "status").stdout == "not running\n"

    def test_a_python_without_venv_is_one_line(self, project: Path, path: Path) -> None:
        (path / "python3").unlink()
        real = f'case "$1" in -c) exec {sys.executable} "$@";; esac\nexec {sys.executable} -c "{WITHOUT_VENV}" "$@"\n'
        (path / "python3").write_text(f"#!/bin/sh\n{real}")
        (path / "python3").chmod(0o755)
        done = submit(project, path, "kafka", "status")
        assert done.returncode == 2
        assert "cannot make a virtual environment" in done.stderr.splitlines()[-1]
        assert not (project / ".venv").exists()


# Runs the script it is given with a Python that cannot start the venv module, like Debian's without python3-venv.
WITHOUT_VENV = "import runpy, sys; sys.argv = sys.argv[1:]; sys.executable = '/bin/false'; runpy.run_path(sys.argv[0], run_name='__main__')"
