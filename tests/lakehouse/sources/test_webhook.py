"""What a source may say of its webhooks; nothing is open to everybody, and no secret stands in a file."""

from typing import Any

import pytest

from lakehouse.config.declarations import validated
from lakehouse.sources.webhook import Webhook

SIGNED: dict[str, Any] = {"signature": {"header": "X-Sign", "encoding": "hex"}, "secrets": ["${A_SECRET}"]}


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({}, "signature: got none"),
        ({"signature": SIGNED["signature"]}, "or no secrets"),
        ({"secrets": SIGNED["secrets"]}, "signature: got none"),
        (SIGNED | {"is_unsigned": True}, "is_unsigned: got a signature"),
        (SIGNED | {"secrets": ["hush"]}, "secrets.0"),
        (SIGNED | {"secrets": ["${A}${B}"]}, "secrets.0"),
        (SIGNED | {"headers": ["X Topic"]}, "headers.0"),
        (SIGNED | {"takes": {"X-Topic": "*/create"}}, "its beginning and a star"),
        (SIGNED | {"signature": {"header": "X-Sign", "encoding": "hex", "algorithm": "md5"}}, "signature.algorithm"),
        (SIGNED | {"ping": ""}, "ping"),
    ],
)
def test_a_fault_is_told_where_it_stands(declared: dict[str, Any], fault: str) -> None:
    faults: list[str] = []
    assert validated(declared, Webhook, "shop.yaml: webhook", faults) is None
    assert fault in "\n".join(faults)


@pytest.mark.parametrize("declared", [SIGNED, {"is_unsigned": True}, SIGNED | {"takes": {"X-Topic": "orders/*"}}])
def test_what_says_whom_to_believe_is_taken(declared: dict[str, Any]) -> None:
    faults: list[str] = []
    assert validated(declared, Webhook, "shop.yaml: webhook", faults) is not None, faults
