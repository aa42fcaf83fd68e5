import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse import job
from lakehouse.config import PROJECT
from lakehouse.errors import ConfigError, LakeError, StitchlakeError

JOB = """
import sys
from lakehouse import errors
from lakehouse.job import LIFELINE, run
def main(argv):
    {body}
run(main)
"""


def run_job(body: str, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", JOB.format(body=body), *arguments]
    env = os.environ | {"PYTHONPATH": str(PROJECT)} | environ
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.mark.parametrize(
    ("body", "code"), [("return None", 0), ("return 0", 0), ("return 3", 3), ("return len(argv)", 2)]
)
def test_a_job_ends_with_its_own_code(body: str, code: int) -> None:
    done = run_job(body, "a", "b")
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(
    ("kind", "code"), [("LakeError", 2), ("ConfigError", 2), ("BrokerError", 75), ("QueryError", 75)]
)
def test_a_stitchlake_error_is_one_line_and_a_code_that_says_whether_it_may_pass(kind: str, code: int) -> None:
    done = run_job(f"raise errors.{kind}('lake: locked, got pid 7, expected none. Wait')")
    assert (done.returncode, done.stderr) == (code, "error: lake: locked, got pid 7, expected none. Wait\n")


def test_a_job_ends_with_the_process_that_started_it() -> None:
    lifeline, own_end = os.pipe()
    body = "import os, time\n    try:\n        print(os.environ.get(LIFELINE), flush=True)\n        time.sleep(60)\n    finally:\n        print('clean')"
    command = [sys.executable, "-c", JOB.format(body=body)]
    env = os.environ | {"PYTHONPATH": str(PROJECT), job.LIFELINE: str(lifeline)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, pass_fds=[lifeline]) as process:
        os.close(lifeline)
        assert process.stdout is not None
        assert process.stdout.readline() == "None\n", "its own children are handed none"
        os.close(own_end)
        assert process.communicate() == ("clean\n", None)
    assert process.returncode == 128 + signal.SIGTERM


def test_any_other_error_keeps_its_stack_trace_and_shows_what_the_jvm_said(tmp_path: Path) -> None:
    (tmp_path / "jvm.log").write_text("ERROR the cause\n")
    done = run_job("raise KeyError('x')", STITCHLAKE_JVM_LOG=str(tmp_path / "jvm.log"))
    assert done.returncode == 1
    assert "ERROR the cause" in done.stderr
    assert "Traceback" in done.stderr


def test_an_interrupted_job_says_nothing() -> None:
    done = run_job("raise KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "")


def test_a_terminated_job_cleans_up() -> None:
    body = "import os, signal\n    try:\n        os.kill(os.getpid(), signal.SIGTERM)\n    finally:\n        print('clean')"
    done = run_job(body)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "clean\n")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    job = JOB.format(body="[print(n) for n in range(100000)]")
    script = f'"{sys.executable}" -c "{job}" | head -n 1'
    env = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_only_a_configuration_error_may_have_several_lines() -> None:
    assert job.describe(ConfigError("a: b\nc: d")) == "error: a: b\nerror: c: d"
    assert job.describe(LakeError("a: b\n   c")) == "error: a: b c"


def test_an_argument_that_is_not_known_is_refused_with_the_nearest() -> None:
    assert job.flags(["--check"], "--check") == {"--check"}
    assert job.flags([], "--check") == set()
    with pytest.raises(StitchlakeError, match=r"got '--chek', did you mean '--check'\?"):
        job.flags(["--chek"], "--check")
    with pytest.raises(StitchlakeError, match="got '--check', expected none"):
        job.flags(["--check"])
