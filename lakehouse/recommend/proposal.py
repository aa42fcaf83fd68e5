"""What recommenders, rules and fallbacks propose, and what an answer is made of."""

from typing import NamedTuple


class Proposal(NamedTuple):
    """One product. `score`: higher is better; from a recommender 0..1 and comparable among proposals of one reason.

    The order of the list is the answer. `because`: what of the visitor's history spoke most for it, where that was asked for;
    null where nothing did.
    """

    product_id: str
    score: float
    reason: str
    because: str | None = None
