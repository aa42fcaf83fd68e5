"""One entry of conf/audiences.yaml, as its author wrote it."""

from typing import Literal

from pydantic import Field

from lakehouse.config.declarations import Declared
from lakehouse.decisions.offers import DeclaredPurpose


class DeclaredAudience(Declared):
    """purpose, use: what the gate is asked before the topic tells that somebody entered; see lakehouse/decisions/gate.py."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    owner: str
    description: str = Field(min_length=1, max_length=300)
    where: str
    purpose: DeclaredPurpose
    use: Literal["offer", "profile"] = "offer"
