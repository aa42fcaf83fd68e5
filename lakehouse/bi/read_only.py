"""Clients read, and nothing else: Spark's own server lets everybody drop a table, and run a program.

Spark asks this module about every statement of a client's session, when it is resolved and before anything of it is run: a view's own
query, and a statement inside a statement, like the rest. It passes when all it is made of is listed here, so what nobody thought of is refused.
The session that keeps the catalogue is not asked; it was there before.

A client can set anything in its own session, as it connects or by SET. What would turn Spark away from the rule is set back before each statement is read.
https://spark.apache.org/docs/latest/api/scala/org/apache/spark/sql/SparkSessionExtensions.html
"""

import logging
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

from py4j.java_gateway import JavaObject, is_instance_of
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession

# Commands that show something, or that change no more than the client's own session.
COMMANDS = frozenset(
    {
        "DescribeColumn", "DescribeColumnCommand", "DescribeDatabaseCommand", "DescribeFunction", "DescribeFunctionCommand",
        "DescribeNamespace", "DescribeQueryCommand", "DescribeRelation", "DescribeRelationJsonCommand", "DescribeTableCommand",
        "ExplainCommand", "SetCatalogAndNamespace", "SetCommand", "SetNamespaceCommand", "ShowCatalogsCommand", "ShowColumns",
        "ShowColumnsCommand", "ShowCreateTable", "ShowCreateTableCommand", "ShowCurrentNamespaceCommand", "ShowFunctions",
        "ShowFunctionsCommand", "ShowNamespaces", "ShowNamespacesCommand", "ShowTableProperties", "ShowTablePropertiesCommand",
        "ShowTables", "ShowTablesCommand", "ShowViews", "ShowViewsCommand",
    }
)  # fmt: skip
# What a resolved query is made of: steps over rows, rows that it says itself, views, and its own parts.
QUERIES = frozenset(
    {
        "Aggregate", "CommandResult", "CTERelationDef", "CTERelationRef", "Deduplicate", "Distinct", "Except", "Expand",
        "Filter", "Generate", "GlobalLimit", "Intersect", "Join", "LateralJoin", "LimitAll", "LocalLimit", "LocalRelation",
        "Offset", "OneRowRelation", "Pivot", "Project", "Range", "RebalancePartitions", "Repartition",
        "RepartitionByExpression", "ResolvedHint", "Sample", "Sort", "SubqueryAlias", "Tail", "Union", "UnionLoop",
        "UnionLoopRef", "Unpivot", "View", "Window", "WithCTE",
    }
)  # fmt: skip
# What Delta does in a client's session to read a table's log, and no SQL can say.
OF_DELTA = frozenset(
    {
        "AppendColumns", "DeserializeToObject", "ExternalRDD", "LogicalRDD", "MapElements", "MapGroups", "MapPartitions",
        "SerializeFromObject", "TypedFilter",
    }
)  # fmt: skip
TABLE = "LogicalRelation"
FILES = "org.apache.spark.sql.execution.datasources.HadoopFsRelation"
LOG_INDEX, TABLE_INDEX = (
    "org.apache.spark.sql.delta.DeltaLogFileIndex",
    "org.apache.spark.sql.delta.files.TahoeFileIndex",
)
# Spark's other analyser, to which a client could turn, asks no rule of ours. Whatever a session says, it stays off.
OFF = tuple(
    f"spark.sql.analyzer.singlePassResolver.{name}" for name in ("enabled", "enabledTentatively", "dualRunWithLegacy")
)
# Functions that call any method of the JVM.
CALLS = ("java_method", "reflect", "try_reflect")
EXPECTED = "expected SELECT over tables of the catalogue, SHOW, DESCRIBE, EXPLAIN, USE or SET: this server only reads"


def hold(spark: SparkSession, folders: Container[str]) -> None:
    """Refuse, in every session that begins from now on, whatever is not reading Delta tables in these folders, as they are by then; see `folder`.

    In the process as a whole `CALLS` are gone.
    """
    spark.sql("SELECT 1")  # so that the session itself has its rules already
    jvm, gateway = spark._jvm, spark.sparkContext._gateway
    assert jvm is not None
    assert gateway is not None
    functions = jvm.org.apache.spark.sql.catalyst.analysis.FunctionRegistry.builtin()
    for name in CALLS:
        functions.dropFunction(jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name))
    # A refusal is told to the client; py4j would log it as a fault of ours.
    logging.getLogger("py4j.clientserver").setLevel(logging.CRITICAL)
    gateway.callback_server_parameters.propagate_java_exceptions = True
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
    extensions = spark._jsparkSession.extensions()
    extensions.injectParser(_Parsers(jvm))
    extensions.injectCheckRule(_Rules(_Rule(gateway, folders)))


def refusal(plan: Any, folders: Container[str], gateway: Any) -> str | None:
    """Why the resolved plan of a statement is not run; None = it only reads."""
    for node, kind in _nodes(plan):
        if kind == TABLE:
            if not _is_log(node, gateway) and folder(node, gateway) not in folders:
                return f"got files by their path, {EXPECTED}"
        elif kind not in QUERIES | COMMANDS | OF_DELTA:
            return f"got {kind}, {EXPECTED}"
    return None


def _nodes(plan: Any) -> Iterator[tuple[Any, str]]:
    """The nodes of the plan and of the queries inside its expressions, with their kinds; of a command only itself, for what it names is not read."""
    kind = _kind(plan)
    yield plan, kind
    if kind in COMMANDS:
        return
    for inner in (plan.children(), plan.subqueries()):
        for place in range(inner.size()):
            yield from _nodes(inner.apply(place))


def folder(relation: Any, gateway: Any) -> str | None:
    """Where the Delta table of a resolved relation lies, as Delta writes it; None = it is none."""
    index = _index(relation, gateway)
    return index.path().toString() if index is not None and is_instance_of(gateway, index, TABLE_INDEX) else None


def _is_log(relation: Any, gateway: Any) -> bool:
    """Whether Delta itself asks for files of a table's log: a name or path in a statement never becomes this."""
    index = _index(relation, gateway)
    return index is not None and is_instance_of(gateway, index, LOG_INDEX)


def _index(relation: Any, gateway: Any) -> Any:
    files = relation.relation()
    return files.location() if is_instance_of(gateway, files, FILES) else None


def _kind(node: JavaObject) -> str:
    name: str = node.getClass().getName()
    return name.rpartition(".")[2].removesuffix("$")


class _Rule:
    """LogicalPlan => Unit."""

    def __init__(self, gateway: Any, folders: Container[str]) -> None:
        self._gateway = gateway
        self._folders = folders

    def apply(self, plan: Any) -> None:
        reason = refusal(plan, self._folders, self._gateway)
        if reason is not None:
            raise Py4JJavaError(reason, self._gateway.jvm.java.lang.SecurityException(reason))

    class Java:
        implements = ("scala.Function1",)


class _Rules:
    """SparkSession => its rule."""

    def __init__(self, rule: _Rule) -> None:
        self._rule = rule

    def apply(self, session: Any) -> _Rule:
        return self._rule

    class Java:
        implements = ("scala.Function1",)


class _Parser:
    """Spark's own parser, whatever it is asked; the last to be asked before a statement is resolved."""

    def __init__(self, jvm: Any, spark: Any) -> None:
        self._jvm = jvm
        self._spark = spark

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: self._asked(getattr(self._spark, name), arguments)

    def _asked(self, method: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        settings = self._jvm.org.apache.spark.sql.internal.SQLConf.get()
        for name in OFF:
            settings.setConfString(name, "false")
        try:
            return method(*arguments)
        except CapturedException as error:  # the client gets Spark's own words
            raise Py4JJavaError("statement", error._origin) from None

    class Java:
        implements = ("org.apache.spark.sql.catalyst.parser.ParserInterface",)


class _Parsers:
    """(SparkSession, its parser) => that parser, of ours."""

    def __init__(self, jvm: Any) -> None:
        self._jvm = jvm

    def apply(self, session: Any, spark: Any) -> _Parser:
        return _Parser(self._jvm, spark)

    class Java:
        implements = ("scala.Function2",)
