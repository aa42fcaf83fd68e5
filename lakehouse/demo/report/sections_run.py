"""Sections: how fresh gold was, and where to look next."""

from collections.abc import Mapping, Sequence

from lakehouse.demo.report import charts, plots, words
from lakehouse.demo.report.charts import Bar
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.html import code_block, columns, element, figure, note, section, table, text
from lakehouse.demo.report.plots import Span
from lakehouse.demo.report.run import BatchTiming

STAGES = {
    "events": "Read, parse, dedupe, write silver.events",
    "leaf": "Aggregate by actor and day",
    "models": "Look for new champion models",
    "silver": "Silver tables of profiles and identity",
    "online_fill": "Fill an empty online store",
    "rollup": "Roll up and score touched profiles",
    "online": "Write the online store",
    "gold": "Write gold",
    "changes": "Tell what changed",
    "consent": "Write the ledger of consent",
    "faults": "Write fields that could not be read",
    "sessions": "Keep sessions of visitors",
    "quality": "Judge what is expected of gold",
    "due": "Look for whom time has changed",
    "windows": "Close windows of features",
    "audiences": "Tell who entered and left audiences",
}
COMMANDS = (
    ("./spark-submit.sh plan", "tables, owners, order and the configuration in force"),
    (
        "./spark-submit.sh whois email jane@example.com",
        "the profile an identifier resolves to, and the chain of evidence",
    ),
    ("./spark-submit.sh streaming --available-now", "take in what is new on the topic, then stop"),
    ("./spark-submit.sh batch/rebuild.py --check", "compute every table again from silver and compare"),
    ("./spark-submit.sh up", "broker and streaming queries, until stopped"),
)
DUCKDB = """import duckdb
from deltalake import DeltaTable

activation = DeltaTable("{root}/gold/activation").to_pyarrow_dataset()
duckdb.sql(\"\"\"
    SELECT segment, count(*) AS profiles, sum(monetary) AS revenue
    FROM activation GROUP BY segment ORDER BY revenue DESC
\"\"\").show()"""
POLARS = """import polars as pl

rfm = pl.scan_delta("{root}/gold/rfm")
print(rfm.sort("monetary", descending=True).head(10).collect())"""
OWN_TOPIC = """export STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS=broker.example.com:9092
export STITCHLAKE__KAFKA__EVENTS_TOPIC=your-topic
export STITCHLAKE__LAKE__ROOT=/data/your-lake
export STITCHLAKE__PRIVACY__HMAC_KEY="$(openssl rand -hex 32)" STITCHLAKE__PRIVACY__HMAC_KEY_ID=k1
./spark-submit.sh streaming"""


def freshness(facts: PageFacts) -> str:
    run = facts.run
    took = (run.finished_at - run.started_at).total_seconds()
    phases = [Bar(words.plain(phase), taken, words.seconds(taken)) for phase, taken in run.phases.items()]
    shown_phases = figure(
        "Seconds by phase of the run",
        charts.bars("fresh-phases", "Seconds by phase", phases, nothing="No phase was timed"),
        f"{words.moment(run.started_at)} to {words.moment(run.finished_at)}, {words.seconds(took)} in all.",
    )
    if not run.batches:
        lead = f"The run took {words.seconds(took)}. No micro-batch of the events query was timed."
        return section("freshness", "How fresh", lead, columns(shown_phases))
    rows = sum(batch.rows for batch in run.batches)
    lead = (
        f"{words.plural(len(run.batches), 'micro-batch', 'micro-batches')} carried {words.plural(rows, 'record')} to "
        "gold.activation. Time runs from the broker's stamp on a record to the commit that shows it in gold; where the topic was "
        "filled first, that includes the wait."
    )
    return section(
        "freshness",
        "How fresh",
        lead,
        columns(_timeline(run.batches), _rows(run.batches)),
        columns(_stages(run.batches), shown_phases),
    )


def _timeline(batches: Sequence[BatchTiming]) -> str:
    spans = [
        Span(
            b.p50_seconds,
            b.p99_seconds,
            f"batch {b.batch_id}: {words.plural(b.rows, 'record')}, half within {words.seconds(b.p50_seconds)}, "
            f"99% within {words.seconds(b.p99_seconds)}",
        )
        for b in batches
    ]
    drawn = plots.timeline(
        "fresh-batches", "Seconds from produced to gold", spans, axis="seconds", x_axis="micro-batch"
    )
    return figure(
        "Produced to gold, by micro-batch",
        drawn,
        "Dot: half of the records are faster (p50). Top of the bar: 99% are (p99).",
    )


def _rows(batches: Sequence[BatchTiming]) -> str:
    points = [(str(i), float(b.rows)) for i, b in enumerate(batches, 1)]
    return figure(
        "Records by micro-batch",
        charts.columns("fresh-rows", "Records by micro-batch", points, axis="records", colour="b"),
    )


def _stages(batches: Sequence[BatchTiming]) -> str:
    means = {STAGES.get(stage, stage): seconds for stage, seconds in mean_stages([b.stages for b in batches]).items()}
    drawn = plots.stages("fresh-stages", "Mean seconds by stage of a micro-batch", means)
    return figure("Where a micro-batch spends its time", drawn, "Means over the batches in which the stage ran.")


def mean_stages(stages: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean seconds by stage over the batches that have it, in order of first appearance; the sum `total` is left out."""
    taken: dict[str, list[float]] = {}
    for batch in stages:
        for stage, seconds in batch.items():
            taken.setdefault(stage, []).append(seconds)
    return {stage: sum(values) / len(values) for stage, values in taken.items() if stage != "total"}


def onward(facts: PageFacts) -> str:
    lead = "The tables are plain Delta. Spark, delta-rs, DuckDB and Polars read them where they are."
    rows = [
        [
            element("code", text(t.name)) + element("span", text(t.grain), class_="meaning"),
            text(words.count(t.rows)),
            element("code", text(t.path), class_="path"),
        ]
        for t in facts.tables
    ]
    commands = [[element("code", text(command)), text(said)] for command, said in COMMANDS]
    return section(
        "onward",
        "Where to look next",
        lead,
        table(["Table", "Rows", "Path"], rows, numbers=(1,), caption="Tables of this lake"),
        columns(
            element("div", element("h3", "Query with DuckDB") + code_block(DUCKDB.format(root=facts.root))),
            element("div", element("h3", "Query with Polars") + code_block(POLARS.format(root=facts.root))),
        ),
        element("h3", "Go on with your own topic") + code_block(OWN_TOPIC),
        note("Messages follow the Segment event spec. Keep the key: tokens of e-mail, phone and name change with it."),
        element("h3", "Commands"),
        table(["Command", "Does"], commands, caption="Commands"),
        note("The notebooks folder walks through events, identity, segments and scores on this lake."),
    )
