"""Section: scores, and how far they can be trusted."""

from collections.abc import Mapping, Sequence

from lakehouse.demo.report import charts, plots, words
from lakehouse.demo.report.charts import Bar
from lakehouse.demo.report.customer_facts import BINS, ScoreFacts
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.html import columns, element, figure, note, paragraph, section, table, text
from lakehouse.demo.report.trainings import NAMES, Judged, judgement, metrics, number, silhouettes, title, version
from lakehouse.models.registry import RECOMMENDER


def scores(facts: PageFacts) -> str:
    known = facts.scores
    judged = next((found for training in facts.run.trainings if (found := judgement(training))), None)
    others = [t for t in facts.run.trainings if not silhouettes(t) and judgement(t) is None]
    beside = "".join(_training(i, t) for i, t in enumerate(others))
    if judged is not None:
        beside = reliability(judged) + beside
    elif all(title(training) == RECOMMENDER for training in others):
        beside = note("This run trained no score model.") + beside
    verdict = "" if judged is None else _verdict(judged)
    if not known.scored:
        lead = "No profile has a score yet: no score model has been trained, or the stream has not picked it up."
        return section("scores", "What comes next", lead, beside, verdict)
    lead = (
        f"{words.plural(known.scored, 'profile')} carry a probability to order within {known.horizon_days} days. "
        f"Their mean is {words.share(known.mean or 0, 1)}."
    )
    return section("scores", "What comes next", lead, columns(_histogram(known), element("div", beside)), verdict)


def _histogram(known: ScoreFacts) -> str:
    points = [(f"{100 * i // BINS}%", float(n)) for i, n in enumerate(known.histogram)]
    return figure(
        f"Probability of an order within {known.horizon_days} days",
        charts.columns("scores-histogram", "Profiles by purchase propensity", points, axis="profiles"),
        f"Each column is {100 // BINS} points wide and named by its lower end. "
        f"Model version {', '.join(known.versions) or 'unknown'}.",
    )


def reliability(judged: Judged) -> str:
    """Predicted against observed: a model that keeps its word stands on the diagonal."""
    drawn = plots.reliability("scores-reliability", "Predicted and observed share of orders", judged.reliability)
    return figure(
        "Does it keep its word?",
        drawn,
        "A dot is a tenth of the profiles on time the model had not seen: predicted to the right, observed upwards. "
        "On the line, both are the same.",
    )


def _verdict(judged: Judged) -> str:
    """The champion beside the others and the baselines."""
    order = list(dict.fromkeys(name for of_one in judged.metrics.values() for name in of_one))
    rows = [
        [
            element("strong" if who == judged.champion else "span", text(words.plain(who)))
            + (element("span", "champion", class_="meaning") if who == judged.champion else ""),
            *(
                f"{text(number(e.value))}{element('span', text(e.interval), class_='meaning')}"
                if (e := of_one.get(name))
                else ""
                for name in order
            ),
        ]
        for who, of_one in judged.metrics.items()
    ]
    head = ["", *(NAMES.get(name, words.plain(name)) for name in order)]
    measured = table(
        head, rows, numbers=range(1, len(head)), wide=range(3, len(head)), caption="Model and baselines, 95% intervals"
    )
    return element("h3", "Against the baselines", class_="sub") + paragraph(in_words(judged)) + measured


def in_words(judged: Judged) -> str:
    """The one sentence to remember of a training."""
    name = words.plain(judged.champion)
    if judged.gain is None:
        return f"{name} was chosen."
    if judged.gain.low > 0:
        return (
            f"{name} is better than the best of the simple rules: its Brier score is lower by {judged.gain.value:.4f} "
            f"(95% interval {judged.gain.low:.4f} to {judged.gain.high:.4f})."
        )
    return (
        f"{name} is not shown to be better than the best of the simple rules: its Brier score differs by "
        f"{judged.gain.value:.4f} (95% interval {judged.gain.low:.4f} to {judged.gain.high:.4f})."
    )


def _training(index: int, training: Mapping[str, object]) -> str:
    """Any other training: bars where a baseline is known, a table of the rest."""
    heading = f"{words.plain(title(training))}, as trained"
    known = metrics(training)
    rows = [
        Bar(m.name, m.value, m.figure, second=m.baseline, second_figure=m.baseline_figure)
        for m in known
        if m.baseline is not None
    ]
    rest: Sequence[Sequence[str]] = [[text(m.name), text(m.figure)] for m in known if m.baseline is None]
    drawn = charts.pairs(f"training-{index}", heading, rows, ("model", "baseline")) if rows else ""
    listed = table(["Measure", "Value"], rest, numbers=(1,), caption="Measures of the training") if rest else ""
    said = version(training) or ("" if known else "No figure was handed on.")
    return element("figure", element("h3", text(heading)) + drawn + listed + element("figcaption", text(said)))
