"""The line of JSON a command ends with."""

import json
import math
from collections.abc import Mapping
from typing import Any


def json_line(facts: Mapping[str, Any]) -> str:
    """JSON has no nan: what is not known is null."""
    return json.dumps(_finite(facts))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
