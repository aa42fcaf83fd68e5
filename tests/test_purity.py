"""A transform makes frames of frames and nothing else: no action, no write, no cache, no clock, no chance, no configuration read.

So streaming, rebuild and check can run one transform and get one answer.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.purity import PROJECT, Function, impurities, module, module_name, source

JOBS = ("streaming", "batch", "ml", "lakehouse")
TABLES = ("lakehouse/profiles/gold", "lakehouse/profiles/silver", "lakehouse/features")
DECISIONS = "lakehouse/decisions"
EFFECTS = ("Lake", "SparkSession", "TableIndex", "TraitIndex")  # who takes one of these says that it reads or writes

# In a stream it is the time of the micro-batch, fixed in the offset log: a replay of the batch finds the same one.
BATCH_CLOCKS = {"lakehouse.queries.bronze_events.transform"}


def functions_of(folder: str) -> list[tuple[str, str, Function]]:
    """(module, function, syntax tree) of every function and method below a folder."""
    sources = [module(module_name(path)) for path in sorted((PROJECT / folder).rglob("*.py"))]
    return [
        (each.name, name, node)
        for each in sources
        if each is not None
        for name, node in (each.functions | each.methods).items()
    ]


def makes_frames(node: Function) -> bool:
    """Whether it gives frames or columns, and is handed neither a lake nor a session."""
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    taken = " ".join(ast.unparse(each.annotation) for each in given if each.annotation)
    made = ast.unparse(node.returns) if node.returns else ""
    return ("DataFrame" in made or "Column" in made) and not any(name in taken.split() for name in EFFECTS)


@cache
def transforms() -> frozenset[tuple[str, str]]:
    """(module, function). Not at the head of the module: every process of a test run would parse all the code."""
    return frozenset((owner, name) for folder in JOBS for owner, name, _ in functions_of(folder) if name == "transform")


@cache
def pure() -> frozenset[tuple[str, str]]:
    """(module, function) of all that may ask nothing but its arguments."""
    of_frames = {(owner, name) for folder in TABLES for owner, name, node in functions_of(folder) if makes_frames(node)}
    # `read_*` reads a file of conf/ into frozen values before anything is decided.
    deciding = {(owner, name) for owner, name, _ in functions_of(DECISIONS) if not name.startswith("read_")}
    # Plans of them are kept (docs/decisions/0093): a clock in one would stand still. Those of silver and gold are among the others.
    kept = {("lakehouse.queries.events_batch", "leaves"), ("lakehouse.queries.silver_writes", "_faults")}
    return transforms() | of_frames | deciding | kept


def faults_of(functions: frozenset[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    for owner, name in functions:
        inside = module(owner)
        assert inside is not None, owner
        found.update(impurities(inside, name))
    return found


def test_there_are_transforms_to_check() -> None:
    assert {("lakehouse.queries.bronze_events", "transform"), ("lakehouse.queries.events", "transform")} <= transforms()
    for folder in (*TABLES, DECISIONS):
        assert [owner for owner, _ in pure() if owner.startswith(folder.replace("/", "."))], folder


def test_a_transform_asks_nothing_but_its_arguments() -> None:
    faults = [
        fault
        for fault in faults_of(pure())
        if not (fault.partition(":")[0] in BATCH_CLOCKS and "current_timestamp() (a clock)" in fault)
    ]
    assert sorted(faults) == []


PLANTED = {
    "frame.collect()": "an action",
    "frame.count()": "an action",
    "frame.where('a').first()": "an action",
    "frame.toPandas()": "an action",
    "frame.toArrow()": "an action",
    "frame.isEmpty()": "an action",
    "frame.write.format('delta').save('x')": "a write",
    "frame.writeTo('t').append()": "a write",
    "frame.write.saveAsTable('t')": "a write",
    "frame.cache()": "a cache",
    "frame.persist()": "a cache",
    "frame.checkpoint()": "a cache",
    "frame.localCheckpoint()": "a cache",
    "spark.table('gold.rfm')": "the session",
    "frame.sparkSession.table('gold.rfm')": "the session",
    "SparkSession.getActiveSession()": "the session",
    "lake.read(GOLD_RFM)": "the lake",
    "frame.withColumn('at', F.current_timestamp())": "a clock",
    "frame.withColumn('at', F.now())": "a clock",
    "frame.withColumn('at', F.lit(datetime.now(UTC)))": "a clock",
    "frame.withColumn('at', F.lit(time.time()))": "a clock",
    "frame.selectExpr('now() AS at')": "SQL",
    "frame.where('rand() < 0.1')": "SQL",
    "frame.withColumn('id', F.uuid())": "chance",
    "frame.withColumn('id', F.lit(str(uuid4())))": "chance",
    "frame.withColumn('a', F.rand())": "chance",
    "frame.withColumn('a', F.lit(random.random()))": "chance",
    "open('conf/base.toml')": "a reading",
    "Path('conf/base.toml').read_text()": "a reading",
    "os.environ['HOME']": "a reading",
    "os.getenv('HOME')": "a reading",
    "load('dev')": "a reading",
}  # fmt: skip


@pytest.mark.parametrize("statement", PLANTED, ids=str)
def test_a_planted_impurity_is_found(statement: str) -> None:
    planted = source("planted", f"from lakehouse.config import load\ndef transform(frame):\n    return {statement}\n")
    faults = impurities(planted, "transform")
    assert any(f"({PLANTED[statement]})" in fault for fault in faults), faults


def test_an_impurity_is_found_through_the_functions_that_are_called() -> None:
    text = """
        from lakehouse.spark.session import get_session
        from lakehouse import config
        def transform(frame): return frame.transform(_step)
        def _step(frame): return _last(frame)
        def _last(frame): return frame.limit(len(frame.collect()))
        def other(frame): return get_session(frame, "app")
        def third(frame): return config.load("dev")
    """
    planted = source("planted", "\n".join(line.strip() for line in text.splitlines()))
    assert impurities(planted, "transform") == ["planted._last: line 6: .collect() (an action)"]
    assert any("getOrCreate() (the session)" in fault for fault in impurities(planted, "other"))
    assert impurities(planted, "third")


@pytest.mark.parametrize(
    "statement",
    [
        "frame.groupBy('a').agg(F.count(F.lit(1)), F.first('b'), F.collect_list('c'))",
        "frame.groupBy('a').count()",
        "[1, 2].count(1)",
        "frame.select('first', 'count', 'now')",
        "frame.withColumn('computed_at', F.lit(now))",
    ],
)
def test_what_only_describes_a_frame_is_pure(statement: str) -> None:
    assert impurities(source("planted", f"def transform(frame, now):\n    return {statement}\n"), "transform") == []


def test_only_the_streams_that_say_so_take_the_time_of_the_micro_batch() -> None:
    found = {fault.partition(":")[0] for fault in faults_of(transforms())}
    assert found == BATCH_CLOCKS, "an exception nobody needs any more, or one that is not written down"


def test_every_path_of_the_check_exists() -> None:
    assert [folder for folder in (*JOBS, *TABLES, DECISIONS) if not Path(PROJECT / folder).is_dir()] == []
