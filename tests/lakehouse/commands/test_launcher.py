import shlex
from pathlib import Path

import pytest

from lakehouse.commands import launcher
from lakehouse.commands.launcher import Job, environment, parse
from lakehouse.errors import StitchlakeError
from lakehouse.spark.properties import DEFAULTS, JAVA_OPTIONS, properties


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (
        "batch/households.py",
        "batch/rebuild.py",
        "streaming/__main__.py",
        "streaming/profiles.py",
        "ml/__init__.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def submit_args(job: Job, *class_path: str) -> list[str]:
    environ = environment(job, {}, class_path=[Path(jar) for jar in class_path], log=Path("/logs/jvm.log"))
    return shlex.split(environ["PYSPARK_SUBMIT_ARGS"])


def test_a_file_is_a_job_with_its_arguments(project: Path) -> None:
    job = parse(["batch/rebuild.py", "--check", "--master"], project)
    assert job == Job(script=project / "batch" / "rebuild.py", arguments=("--check", "--master"))


def test_a_command_stands_for_its_script(project: Path) -> None:
    job = parse(["streaming", "--available-now"], project)
    assert job == Job(script=project / "streaming" / "__main__.py", arguments=("--available-now",))


@pytest.mark.parametrize(
    "options",
    [
        ["--master", "local[4]"],
        ["--master=local[4]"],
        ["--verbose", "--conf", "spark.a=b c"],
        ["--conf=spark.a=1", "--driver-memory", "8g"],
    ],
)
def test_options_before_the_job_reach_spark_submit_unchanged(project: Path, options: list[str]) -> None:
    job = parse([*options, "batch/rebuild.py", "--check"], project)
    assert (list(job.options), job.arguments) == (options, ("--check",))
    args = submit_args(job)
    assert args[-1] == "pyspark-shell"
    assert args[-1 - len(options) : -1] == options


@pytest.mark.parametrize(
    ("options", "is_local"),
    [
        ([], True),
        (["--master", "local[2]"], True),
        (["--master=local"], True),
        (["--conf", "spark.master=local[*]"], True),
        (["--conf", "spark.other=yarn"], True),
        (["--master", "yarn"], False),
        (["--master=spark://127.0.0.1:7077"], False),
        (["--conf", "spark.master=yarn"], False),
        (["--conf=spark.master=yarn"], False),
        (["--master", "yarn", "--conf", "spark.master=local"], False),
    ],
)
def test_the_master_tells_whether_a_job_is_local(project: Path, options: list[str], is_local: bool) -> None:
    assert parse([*options, "batch/rebuild.py"], project).is_local is is_local


def test_what_drains_and_ends_starts_without_the_optimising_compiler_unless_the_user_says_otherwise() -> None:
    script = Path("a.py")
    plain, drains = (submit_args(Job(script=script, arguments=arguments)) for arguments in ((), ("--available-now",)))
    (added,) = set(drains) - set(plain) - {"--conf"}
    assert added == f"{JAVA_OPTIONS}={properties(DEFAULTS)[JAVA_OPTIONS]} -XX:TieredStopAtLevel=1"
    for own in (("--conf", f"{JAVA_OPTIONS}=-Xss4m"), ("--properties-file", "own.conf")):
        assert added not in submit_args(Job(script=script, arguments=("--available-now",), options=own))


def test_on_this_machine_known_jars_go_on_the_class_path_and_ivy_rests() -> None:
    args = submit_args(Job(script=Path("a.py")), "/j/a.jar", "/j/b c.jar")
    assert args[2:4] == ["--driver-class-path", "/j/a.jar:/j/b c.jar"]
    assert "spark.jars.packages=" in args


def test_on_this_machine_no_process_is_started_for_every_file() -> None:
    settings = "spark.hadoop.fs.file.impl=com.globalmentor.apache.hadoop.fs.BareLocalFileSystem"
    assert settings in submit_args(Job(script=Path("a.py")), "/j/a.jar")
    assert settings not in submit_args(Job(script=Path("a.py"), options=("--master", "yarn")))


def test_on_a_cluster_spark_resolves_the_jars_and_ships_our_package() -> None:
    job = Job(script=Path("a.py"), options=("--master", "yarn"))
    args = submit_args(job)
    assert "spark.jars.packages=" not in args
    assert args[2] == "--py-files"
    assert "SPARK_LOCAL_IP" not in environment(job, {}, class_path=[], log=Path("x"))


def test_the_environment_a_user_set_stays_except_what_is_ours() -> None:
    given = {"STITCHLAKE_ENV": "prod", "SPARK_HOME": "/opt/old", "PYTHONWARNINGS": "error"}
    environ = environment(Job(script=Path("a.py")), given, class_path=[], log=Path("/logs/jvm.log"))
    assert (environ["STITCHLAKE_ENV"], environ["PYTHONWARNINGS"]) == ("prod", "error")
    assert environ["SPARK_HOME"].endswith("pyspark")
    assert environ["STITCHLAKE_JVM_LOG"] == "/logs/jvm.log"
    assert environ["SPARK_LOCAL_IP"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["batch/rebild.py"], "batch/rebild.py: no such file; did you mean 'batch/rebuild.py'?"),
        (["rebuild.py"], "rebuild.py: no such file; did you mean 'batch/rebuild.py'?"),
        (["streming"], "streming: no such command; did you mean 'streaming'?"),
        (["--master"], "--master: needs a value and a job after it"),
        (["--master", "local"], "--master local: names no job"),
        (["--deploy-mode", "cluster", "batch/rebuild.py"], "--deploy-mode: got cluster, expected client"),
        (
            ["--conf", "spark.submit.deployMode=cluster", "batch/rebuild.py"],
            "--deploy-mode: got cluster, expected client",
        ),
    ],
)
def test_what_cannot_be_started_is_named(project: Path, argv: list[str], expected: str) -> None:
    with pytest.raises(StitchlakeError) as caught:
        parse(argv, project)
    assert str(caught.value).startswith(expected)


def test_a_packages_init_is_no_job(project: Path) -> None:
    assert launcher.job_files(project) == [
        "batch/households.py",
        "batch/rebuild.py",
        "streaming/__main__.py",
        "streaming/profiles.py",
    ]


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"jvm-{number}.log").touch()
    launcher.new_log(tmp_path).touch()
    assert len(list(tmp_path.iterdir())) == launcher.KEPT_LOGS
