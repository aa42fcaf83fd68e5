import itertools
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse import jars
from lakehouse.commands import launcher
from lakehouse.commands.launcher import Job, environment, parse
from lakehouse.errors import StitchlakeError
from lakehouse.spark.properties import DEFAULTS, JAVA_OPTIONS, PACKAGES, S3, properties

OURS = properties(DEFAULTS)[PACKAGES]


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


def submit_args(job: Job, *class_path: str, root: str = "lake") -> list[str]:
    environ = environment(job, {}, class_path=[Path(jar) for jar in class_path], log=Path("/logs/jvm.log"), root=root)
    return shlex.split(environ["PYSPARK_SUBMIT_ARGS"])


def settings(args: list[str]) -> dict[str, str]:
    """What spark-submit takes each setting for: the last one given."""
    return dict(value.split("=", 1) for word, value in itertools.pairwise(args) if word == "--conf")


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


@pytest.mark.parametrize(
    ("script", "arguments", "ends"),
    [
        (launcher.SCRIPTS["streaming"], ("--available-now",), True),
        (launcher.SCRIPTS["streaming"], (), False),
        (launcher.SCRIPTS["demo"], ("--keep",), True),
        (launcher.SCRIPTS["whois"], ("a@b.c",), False),
        ("tests", (), True),
        ("tests", ("tests/test_docs.py",), False),
    ],
)
def test_what_does_much_and_ends_leaves_its_classes_to_others(
    script: str, arguments: tuple[str, ...], ends: bool
) -> None:
    assert Job(script=launcher.PROJECT / script, arguments=arguments).ends_by_itself is ends


def test_shared_classes_are_told_apart_from_the_options_of_a_user() -> None:
    job = Job(script=Path("a.py"), options=("--conf", f"{JAVA_OPTIONS}=-Xss4m"))
    made = environment(job, {}, class_path=[Path("/j/a.jar")], log=Path("x"), shared='"-XX:SharedArchiveFile=/c d"')
    args = shlex.split(made["PYSPARK_SUBMIT_ARGS"])
    assert settings(args)["spark.driver.defaultJavaOptions"] == '"-XX:SharedArchiveFile=/c d"'
    assert settings(args)[JAVA_OPTIONS] == "-Xss4m"


def test_on_this_machine_known_jars_go_on_the_class_path_and_ivy_rests() -> None:
    args = submit_args(Job(script=Path("a.py")), "/j/a.jar", "/j/b c.jar")
    assert args[2:4] == ["--driver-class-path", "/j/a.jar:/j/b c.jar"]
    assert "spark.jars.packages=" in args


def test_on_this_machine_no_process_is_started_for_every_file() -> None:
    told = "spark.hadoop.fs.file.impl=com.globalmentor.apache.hadoop.fs.BareLocalFileSystem"
    assert told in submit_args(Job(script=Path("a.py")), "/j/a.jar")
    assert told not in submit_args(Job(script=Path("a.py"), options=("--master", "yarn")))


def test_on_a_cluster_spark_resolves_the_jars_and_ships_our_package() -> None:
    job = Job(script=Path("a.py"), options=("--master", "yarn"))
    args = submit_args(job)
    assert settings(args)["spark.jars.packages"] == OURS
    assert args[2:4] == ["--py-files", str(launcher.PROJECT / "build" / "lakehouse.zip")]
    assert settings(args)["spark.executorEnv.PYTHONPATH"] == "lakehouse.zip"
    assert "SPARK_LOCAL_IP" not in environment(job, {}, class_path=[], log=Path("x"))


@pytest.mark.parametrize(
    "options",
    [
        ("--packages", "g:a:1"),
        ("--packages=g:a:1",),
        ("--conf", "spark.jars.packages=g:a:1"),
        ("--properties-file", "own.conf"),
        ("--properties-file", "own.conf", "--packages", "g:a:1"),
    ],
)
def test_packages_of_a_user_are_added_to_ours(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.conf").write_text("spark.jars.packages=g:a:1\n")
    args = submit_args(Job(script=Path("a.py"), options=("--master", "yarn", *options, "--name", "n")))
    assert settings(args)["spark.jars.packages"] == f"{OURS},g:a:1"
    assert "--packages" not in args
    assert args[-3:-1] == ["--name", "n"]
    here = Job(script=Path("a.py"), options=options)
    assert launcher.packages(here, "lake").split(",")[-1] == "g:a:1"
    assert settings(submit_args(here, "/j/a.jar"))["spark.jars.packages"] == ""  # they are on the class path


def test_python_files_of_a_user_are_added_to_ours_where_executors_are_elsewhere() -> None:
    theirs = ("--py-files", "b.zip")
    args = submit_args(Job(script=Path("a.py"), options=("--master", "yarn", *theirs)))
    assert [args[3].rpartition("/")[2], args.count("--py-files")] == ["lakehouse.zip,b.zip", 1]
    assert submit_args(Job(script=Path("a.py"), options=theirs))[-3:-1] == list(theirs)


@pytest.mark.parametrize("options", [(), ("--master", "yarn")])
def test_a_lake_on_s3_brings_its_client_and_its_log_store(options: tuple[str, ...]) -> None:
    job, root = Job(script=Path("a.py"), options=options), "s3a://bucket/lake"
    assert launcher.packages(job, root).endswith("org.apache.hadoop:hadoop-aws:3.5.0")
    told = settings(submit_args(job, root=root))
    assert {name: told[name] for name in properties(S3) if name != PACKAGES} == {
        name: value for name, value in properties(S3).items() if name != PACKAGES
    }
    assert "hadoop-aws" not in launcher.packages(job, "lake")


def test_the_s3_client_is_that_of_the_hadoop_which_spark_brings() -> None:
    (hadoop,) = (jars.spark_home() / "jars").glob("hadoop-client-api-*.jar")
    assert properties(S3)[PACKAGES].rpartition(":")[2] == hadoop.stem.removeprefix("hadoop-client-api-")


def test_where_nothing_else_of_ours_is_executors_read_events_by_what_is_shipped(tmp_path: Path) -> None:
    launcher.ship(tmp_path)
    told = subprocess.run(
        [sys.executable, "-c", "import lakehouse.events.event_rows as rows; print(rows.__file__)"],
        env={"PYTHONPATH": "lakehouse.zip", "PYTHONSAFEPATH": "1"}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.strip() == f"{tmp_path}/lakehouse.zip/lakehouse/events/event_rows.py", told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lakehouse.zip"]


def test_the_python_of_other_machines_may_be_another() -> None:
    given = {"PYSPARK_PYTHON": "/opt/python"}
    there, here = (
        environment(Job(script=Path("a.py"), options=options), given, class_path=[], log=Path("x"))
        for options in (("--master", "yarn"), ())
    )
    assert (there["PYSPARK_PYTHON"], here["PYSPARK_PYTHON"]) == ("/opt/python", sys.executable)
    assert there["PYSPARK_DRIVER_PYTHON"] == sys.executable


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
