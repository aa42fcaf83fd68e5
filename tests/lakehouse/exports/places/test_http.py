"""Rows to a real HTTP server that takes, refuses, stalls and speaks of something else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import DestinationAwayError, ExportError
from lakehouse.exports.places.http import _without_values
from lakehouse.exports.shapes.hashing import sha256
from tests.lakehouse.actions.servers import Hook, http_server
from tests.lakehouse.exports.shop import Shop, leaked, person


@pytest.fixture
def hook() -> Iterator[Hook]:
    with http_server() as server:
        yield server


def shop(folder: Path, hook: Hook, **export: Any) -> Shop:
    return Shop(folder, {"kind": "webhook", "url": hook.url}, **export)


def keys(hook: Hook) -> list[list[str]]:
    return [[row["key"] for row in body["rows"]] for _, body in hook.calls]


def test_rows_come_in_batches_and_who_goes_is_named(tmp_path: Path, hook: Hook) -> None:
    one = shop(tmp_path, hook, batch_rows=2)
    one.people(person("a"), person("b"), person("c"))
    one.run()
    assert keys(hook) == [["a", "b"], ["c"]]
    assert hook.calls[0][1]["rows"][0]["row"] == {"id": "a", "segment": "loyal", "revenue": "12.50"}
    one.people(person("a", consent_marketing=False), person("b"))
    assert one.run().counts["removed"] == 2
    assert hook.calls[2][1] == {"rows": [], "removed": ["a", "c"]}


def test_what_is_open_is_tried_again_under_the_same_key_as_soon_as_is_asked(tmp_path: Path, hook: Hook) -> None:
    hook.answers = [(429, {"Retry-After": "7"}), (200, {"Content-Type": "text/html"}), (200, {})]
    one = shop(tmp_path, hook)
    one.people(person("a"))
    assert one.run().counts["delivered"] == 1
    assert len({headers["Idempotency-Key"] for headers, _ in hook.calls}) == 1
    assert len(hook.calls) == 3
    assert one.slept[0] == 7.0


def test_a_destination_that_does_not_answer_stops_the_run_and_is_sent_it_again(tmp_path: Path, hook: Hook) -> None:
    hook.answers = [(503, {})] * 3
    one = shop(tmp_path, hook, batch_rows=1)
    one.people(person("a"), person("b"))
    with pytest.raises(DestinationAwayError, match="status 503"):
        one.run()
    (run,) = one.runs()
    assert (run["state"], run["unanswered"], run["unsent"]) == ("stopped", 1, 1)
    assert one.ledger() == {"a": ("sending", True)}
    first = hook.calls[0][0]["Idempotency-Key"]
    assert one.run().counts["delivered"] == 2
    assert hook.calls[3][0]["Idempotency-Key"] == first


def test_of_a_batch_that_is_refused_only_the_row_to_blame_is(tmp_path: Path, hook: Hook) -> None:
    hook.answers = [(422, {}), (200, {}), (422, {}), (422, {}), (200, {})]
    one = shop(tmp_path, hook)
    one.people(person("a"), person("b"), person("c"), person("d"))
    report = one.run()
    assert keys(hook) == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]
    assert (report.counts["delivered"], report.counts["rejected"]) == (3, 1)
    assert one.ledger()["c"] == ("rejected", False)


def test_rows_that_an_answer_names_as_refused_are_the_only_ones(tmp_path: Path, hook: Hook) -> None:
    one = shop(tmp_path, hook)
    one.people(person("a", "secretive"), person("b"))
    hook.bodies = [{"rejected": [{"key": "a", "reason": "secretive is no list of ours"}]}]
    report = one.run()
    assert (report.counts["delivered"], report.refused) == (1, {"*** is no list of ours": 1})
    assert one.ledger() == {"a": ("rejected", False), "b": ("delivered", True)}
    assert leaked(one, "secretive") == []


def test_an_answer_that_does_not_say_which_rows_it_did_not_take_is_asked_by_halves(tmp_path: Path, hook: Hook) -> None:
    columns = {"extern_id": "profile_id", "email": "segment"}
    one = shop(tmp_path, hook, shape="meta_custom_audience", columns=columns, key=["extern_id"])
    one.people(person("a", "a@x.org"), person("b", "b@x.org"), person("c", "c@x.org"))
    hook.bodies = [
        {"num_received": count, "num_invalid_entries": invalid}
        for count, invalid in ((3, 1), (1, 0), (2, 1), (1, 1), (1, 0))
    ]
    report = one.run()
    sent = [[row[0] for row in body["payload"]["data"]] for _, body in hook.calls]
    assert sent == [["a", "b", "c"], ["a"], ["b", "c"], ["b"], ["c"]]
    assert (report.counts["delivered"], report.refused) == (2, {"invalid": 1})
    assert one.ledger()["b"] == ("rejected", False)


def test_a_token_that_is_over_blames_no_row_though_its_status_would(tmp_path: Path, hook: Hook) -> None:
    columns = {"extern_id": "profile_id", "email": "segment"}
    one = shop(tmp_path, hook, shape="meta_custom_audience", columns=columns, key=["extern_id"])
    one.people(person("a", "a@x.org"), person("b", "b@x.org"))
    hook.answers = [(400, {}), (400, {})]
    hook.bodies = [{"error": {"code": 17}}, {"error": {"code": 190, "error_subcode": 463}}]
    with pytest.raises(ExportError, match="status 403"):
        one.run()
    assert len(hook.calls) == 2, "too many calls: again later; then the token was over"
    assert one.ledger() == {"a": ("sending", True), "b": ("sending", True)}


def test_who_is_known_by_a_hash_is_removed_by_the_hash_that_was_sent(tmp_path: Path, hook: Hook) -> None:
    columns = {"id": "profile_id", "email": "segment"}
    options = {"account": "1", "audience": "2"}
    one = shop(tmp_path, hook, shape="google_customer_match", options=options, columns=columns)
    old, new = "ann@example.com", "ann@example.org"
    hashes = [[{"emailAddress": sha256(email)}] for email in (old, new)]
    one.people(person("ann", old))
    one.run()
    one.people(person("ann", new))
    one.run()
    one.people(person("ann", new, consent_marketing=False))
    assert one.run().counts["removed"] == 1
    told = [
        (path.rpartition(":")[2], body["audienceMembers"][0]["userData"]["userIdentifiers"])
        for path, (_, body) in zip(hook.paths, hook.calls, strict=True)
    ]
    assert told == [("ingest", hashes[0]), ("remove", hashes[0]), ("ingest", hashes[1]), ("remove", hashes[1])]
    assert one.ledger() == {}
    assert leaked(one, old, new) == []


def test_a_row_that_cannot_be_told_is_refused_without_asking_anybody(tmp_path: Path, hook: Hook) -> None:
    columns, options = {"id": "profile_id", "email": "segment"}, {"account": "1", "audience": "2"}
    one = shop(tmp_path, hook, shape="google_customer_match", options=options, columns=columns)
    one.people(person("ann", "ann@example.com"), person("bob", None))
    report = one.run()
    assert (report.counts["delivered"], report.counts["rejected"]) == (1, 1)
    assert [len(body["audienceMembers"]) for _, body in hook.calls] == [1]
    assert hook.calls[0][0]["Content-Type"] == "application/json"


def test_a_vendor_that_gives_ids_of_its_own_is_asked_for_them_first(tmp_path: Path, hook: Hook) -> None:
    one = shop(tmp_path, hook, shape="hubspot", options={"id_property": "id"})
    one.people(person("ann"), person("bob"))
    one.run()
    one.people(person("bob"))
    hook.bodies = [{"results": [{"id": "33451"}]}]
    assert one.run().counts["removed"] == 1
    assert [path.rpartition("/")[2] for path in hook.paths] == ["upsert", "read", "archive"]
    assert hook.calls[-1][1] == {"inputs": [{"id": "33451"}]}


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_destination_that_does_not_know_us_is_told(tmp_path: Path, hook: Hook, status: int) -> None:
    hook.answers = [(status, {})]
    one = shop(tmp_path, hook)
    one.people(person("a"))
    with pytest.raises(ExportError, match=f"status {status}"):
        one.run()


def test_nothing_is_sent_to_a_private_address_that_is_not_declared(tmp_path: Path, hook: Hook) -> None:
    one = shop(tmp_path, hook)
    one.destination |= {"allow_private": False, "url": hook.url.replace("http://", "https://")}
    one.people(person("a"))
    with pytest.raises(ExportError, match="its address is private"):
        one.run()
    assert hook.calls == []


def test_a_reason_holds_no_value() -> None:
    assert (
        _without_values("ann@example.com is on no list", {"id": "p1", "email": "ann@example.com"})
        == "*** is on no list"
    )


def test_modes_that_a_webhook_cannot_keep_are_refused(tmp_path: Path, hook: Hook) -> None:
    with pytest.raises(ExportError, match="got update"):
        shop(tmp_path, hook, mode="update").run()
