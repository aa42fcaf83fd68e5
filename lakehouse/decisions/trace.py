"""The steps of one decision, in words a person can check: what each step did to which candidate, and why."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """`step`: consent, suppression, rule, eligibility, model, bandit, fallback, ... `subject`: an offer, product or rule."""

    step: str
    outcome: str
    subject: str | None = None


@dataclass(slots=True)
class Trace:
    """Collects steps when somebody asked for them; costs nothing otherwise."""

    is_wanted: bool
    steps: list[Step] = field(default_factory=list)

    def add(self, step: str, outcome: str, subject: str | None = None) -> None:
        """Write a step down, if anybody wants the trace."""
        if self.is_wanted:
            self.steps.append(Step(step, outcome, subject))
