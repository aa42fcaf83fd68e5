"""Request bodies against what the vendors publish: the examples of their pages, typed anew, and the hashes Meta's page prints."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from lakehouse.exports.rows import Removal
from lakehouse.exports.shapes import SHAPES, braze, customerio, google, hashing, hubspot, klaviyo, meta, plain
from lakehouse.exports.shapes.shape import Said

HUBSPOT = {"id_property": "email"}
GOOGLE = {"account": "1234567890", "audience": "987", "login_account": "5550001111"}


def one(key: str, **row: Any) -> list[Said]:
    return [Said(key, row)]


def test_klaviyo_imports_profiles_in_bulk() -> None:
    rows = one(
        "63f64a2b",
        external_id="63f64a2b",
        email="sarah.mason@klaviyo-demo.com",
        phone_number="+15005550006",
        first_name="Sarah",
        city="Boston",
        country="United States",
        newKey="New Value",
        title=None,
    )
    request = klaviyo.upserts(rows, {})
    assert (request.method, request.path, request.keys) == ("POST", "api/profile-bulk-import-jobs", ("63f64a2b",))
    assert request.body == {
        "data": {
            "type": "profile-bulk-import-job",
            "attributes": {
                "profiles": {
                    "data": [
                        {
                            "type": "profile",
                            "attributes": {
                                "email": "sarah.mason@klaviyo-demo.com",
                                "phone_number": "+15005550006",
                                "external_id": "63f64a2b",
                                "first_name": "Sarah",
                                "location": {"city": "Boston", "country": "United States"},
                                "properties": {"newKey": "New Value"},
                            },
                        }
                    ]
                }
            },
        }
    }


def test_klaviyo_lets_go_of_a_property_that_says_nothing_any_more() -> None:
    (profile,) = klaviyo.upserts(one("p", external_id="p", revenue=Decimal("12.50"), tier=None), {}).body["data"][
        "attributes"
    ]["profiles"]["data"]
    assert profile["attributes"]["properties"] == {"revenue": 12.5}
    assert profile["meta"] == {"patch_properties": {"unset": ["tier"]}}
    assert SHAPES["klaviyo"].content_type == "application/vnd.api+json"


def test_klaviyo_is_asked_for_its_own_id_and_then_to_delete() -> None:
    request = klaviyo.removals([Removal("63 f", None)], {})
    assert (request.method, request.path) == ("GET", "api/profiles?filter=equals%28external_id%2C%2263%20f%22%29")
    quoted = klaviyo.removals([Removal('a"),any(id,"b', None)], {})
    assert unquote(quoted.path) == r'api/profiles?filter=equals(external_id,"a\"),any(id,\"b")', "a key stays one value"
    assert request.follow is not None
    following = request.follow({"data": [{"type": "profile", "id": "01GDDKASAP8TKDDA2GRZDSVP4H"}]})
    assert following is not None
    assert following.path == "api/data-privacy-deletion-jobs"
    who = {"data": {"type": "profile", "id": "01GDDKASAP8TKDDA2GRZDSVP4H"}}
    assert following.body == {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": who}}}
    assert request.follow({"data": []}) is None, "nobody of that id is there"


def test_braze_tracks_attributes_and_tells_which_were_not_taken() -> None:
    rows = [
        Said("user1", {"external_id": "user1", "first_name": "Jon", "has_profile_picture": True}),
        *one("user2", external_id="user2"),
    ]
    request = braze.upserts(rows, {})
    assert (request.path, request.body) == (
        "users/track",
        {
            "attributes": [
                {"external_id": "user1", "first_name": "Jon", "has_profile_picture": True},
                {"external_id": "user2"},
            ]
        },
    )
    assert braze.upserts(one("u", external_id="u", revenue=Decimal("12.50"), gone=None), {}).body == {
        "attributes": [{"external_id": "u", "revenue": 12.5, "gone": None}]
    }
    answer = {"message": "success", "errors": [{"type": "invalid email", "input_array": "attributes", "index": 1}]}
    assert braze.refused(request, answer) == {"user2": "invalid email"}
    assert braze.refused(request, {"message": "success", "attributes_processed": 2}) == {}
    gone = braze.removals([Removal("user1", None)], {})
    assert (gone.path, gone.body) == ("users/delete", {"external_ids": ["user1"]})


def test_hubspot_upserts_by_a_property_of_its_own_and_archives_by_the_id_it_gave() -> None:
    rows = one(
        "test@test.com", email="test@test.com", phone="5555555555", lapsed=None, seen=datetime(2026, 1, 1, tzinfo=UTC)
    )
    request = hubspot.upserts(rows, HUBSPOT)
    assert request.path == "crm/v3/objects/contacts/batch/upsert"
    properties = {"phone": "5555555555", "lapsed": "", "seen": "1767225600000"}
    contact = {"idProperty": "email", "id": "test@test.com", "properties": properties, "objectWriteTraceId": "0"}
    assert request.body == {"inputs": [contact]}
    error = {"status": "error", "category": "VALIDATION_ERROR", "context": {"objectWriteTraceId": ["0"]}}
    assert hubspot.refused(request, {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}) == {
        "test@test.com": "VALIDATION_ERROR"
    }
    assert hubspot.refused(request, {"status": "COMPLETE", "results": [{"id": "1"}]}) == {}
    gone = hubspot.removals([Removal("test@test.com", None)], HUBSPOT)
    asked = {"properties": [], "propertiesWithHistory": [], "inputs": [{"id": "test@test.com"}]}
    assert gone.body == {"idProperty": "email", **asked}
    assert gone.follow is not None
    following = gone.follow({"status": "COMPLETE", "results": [{"id": "33451", "properties": {}}]})
    assert following is not None
    assert (following.path, following.body) == ("crm/v3/objects/contacts/batch/archive", {"inputs": [{"id": "33451"}]})


def test_customerio_identifies_and_deletes_people_in_a_batch() -> None:
    rows = one("123", id="123", first_name="Jane", created_at=datetime(2021, 5, 5, tzinfo=UTC), plan=None)
    request = customerio.upserts(rows, {})
    assert request.path == "api/v2/batch"
    attributes = {"first_name": "Jane", "created_at": 1620172800, "plan": ""}
    assert request.body == {
        "batch": [{"type": "person", "identifiers": {"id": "123"}, "action": "identify", "attributes": attributes}]
    }
    assert customerio.removals([Removal("42", None)], {}).body == {
        "batch": [{"type": "person", "identifiers": {"id": "42"}, "action": "delete"}]
    }
    answer = {
        "errors": [{"batch_index": 0, "reason": "invalid", "field": "identifiers.id", "message": "must be a string"}]
    }
    assert customerio.refused(request, answer) == {"123": "invalid identifiers.id"}


def test_hubspot_took_nobody_whom_its_results_do_not_have() -> None:
    request = hubspot.upserts([Said(f"{name}@x.org", {"email": f"{name}@x.org"}) for name in "abc"], HUBSPOT)
    nobody = {"status": "COMPLETE", "results": [], "errors": []}
    assert set(hubspot.refused(request, nobody).values()) == {"not among the results"}
    assert len(hubspot.refused(request, nobody)) == 3
    error = {"status": "error", "category": "VALIDATION_ERROR", "message": "of one of them"}
    some = {
        "results": [{"id": "1", "objectWriteTraceId": "0"}, {"id": "3", "objectWriteTraceId": "2"}],
        "errors": [error],
    }
    assert hubspot.refused(request, some) == {"b@x.org": "VALIDATION_ERROR"}
    untraced = {"results": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}
    assert hubspot.refused(request, untraced) == {}, "an answer that names no traces is believed"
    assert hubspot.refused(request, {"results": [{"id": "1"}], "errors": [error]}) is None, "it does not say which"
    assert hubspot.refused(request, {}) == {}


def test_meta_says_how_many_it_did_not_take_and_not_which() -> None:
    request = meta.upserts([Said(name, {"extern_id": name, "email": "a@x.org"}) for name in "ab"], {})
    answer = {"audience_id": "1", "session_id": "2", "num_received": 2, "invalid_entry_samples": {}}
    assert meta.refused(request, answer | {"num_invalid_entries": 0}) == {}
    assert meta.refused(request, answer | {"num_invalid_entries": 1}) is None
    assert meta.refused(request, answer | {"num_invalid_entries": 2}) == {"a": "invalid", "b": "invalid"}


# Printed by https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
PUBLISHED = {
    "email": ("John_Smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
    "phone": ("(650)555-1212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
    "fn": ("Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
    "ln": ("정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
}


def test_metas_members_have_the_hashes_that_meta_prints() -> None:
    row = {name: value for name, (value, _) in PUBLISHED.items()} | {"extern_id": "p1", "phone": "+1 (650) 555-1212"}
    request = meta.upserts(
        [Said("p1", row | {"zip": "94035-1234", "country": "US", "ct": "San Francisco", "st": None})], {}
    )
    payload = request.body["payload"]
    member = dict(zip(payload["schema"], payload["data"][0], strict=True))
    assert {name: member[name.upper()] for name in PUBLISHED} == {name: hash_ for name, (_, hash_) in PUBLISHED.items()}
    assert member["ZIP"] == hashing.sha256("94035")
    assert member["CT"] == hashing.sha256("sanfrancisco")
    assert member["COUNTRY"] == hashing.sha256("us")
    assert (member["ST"], member["EXTERN_ID"]) == ("", "p1")
    gone = meta.removals([Removal("p1", None)], {})
    assert (gone.method, gone.path) == ("DELETE", "users")
    assert gone.body["payload"] == {"schema": ["EXTERN_ID"], "data": [["p1"]]}
    session = gone.body["session"]
    assert session | {"session_id": 1} == {
        "session_id": 1,
        "batch_seq": 1,
        "last_batch_flag": True,
        "estimated_num_total": 1,
    }
    assert 0 < session["session_id"] < 2**63
    assert meta.removals([Removal("p1", None)], {}).body == gone.body, "sent again it is the same session"
    assert request.body["session"]["session_id"] != session["session_id"]
    assert meta.fault({"extern_id": "p1", "email": " "}, {}) == "nothing that Meta could match by"


def test_metas_error_codes_say_what_its_status_does_not() -> None:
    def error(code: int, **more: Any) -> dict[str, Any]:
        return {"error": {"message": "x", "type": "OAuthException", "code": code, "fbtrace_id": "f", **more}}

    assert [meta.status(400, error(code)) for code in (17, 80003, 613, 2)] == [429] * 4
    assert [meta.status(400, error(code)) for code in (190, 200, 10)] == [403] * 3
    assert meta.status(400, error(100, error_subcode=33)) == 403
    assert meta.status(400, error(1487390, is_transient=True)) == 429
    assert meta.status(400, error(100)) == 400, "a row is to blame"
    assert (meta.status(500, {}), meta.status(200, {"error": 1})) == (500, 200)


def test_googles_members_are_known_by_their_hashes_alone() -> None:
    row = {
        **{"email": " Al.Ex+shop@gmail.com", "phone": "(800)555-0100", "first_name": " John ", "last_name": "Smith"},
        **{"country": "us", "postal_code": "94045"},
    }
    row["phone"] = "+1 (800)555-0100"
    request = google.upserts([Said("p1", row)], GOOGLE)
    assert request.path == "v1/audienceMembers:ingest"
    address = {
        **{"givenName": hashing.sha256("john"), "familyName": hashing.sha256("smith")},
        **{"regionCode": "US", "postalCode": "94045"},
    }
    identifiers = [
        {"emailAddress": hashing.sha256("alex@gmail.com")},
        {"phoneNumber": hashing.sha256("+18005550100")},
        {"address": address},
    ]
    account = {"accountType": "GOOGLE_ADS", "accountId": "1234567890"}
    login = {"accountType": "GOOGLE_ADS", "accountId": "5550001111"}
    assert request.body == {
        "destinations": [{"operatingAccount": account, "loginAccount": login, "productDestinationId": "987"}],
        "encoding": "HEX",
        "audienceMembers": [{"userData": {"userIdentifiers": identifiers}}],
        "consent": {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"},
        "termsOfService": {"customerMatchTermsOfServiceStatus": "ACCEPTED"},
    }
    identity = google.identity(row, GOOGLE)
    assert identity is not None
    assert "gmail" not in identity
    assert orjson.loads(identity) == identifiers
    gone = google.removals([Removal("p1", identity)], GOOGLE)
    assert gone.path == "v1/audienceMembers:remove"
    assert gone.body["audienceMembers"] == request.body["audienceMembers"]
    nobody = {"email": None, "first_name": "John", "last_name": "Smith", "country": "US", "postal_code": None}
    assert google.fault(nobody, GOOGLE) == "no e-mail address, telephone number or whole address"
    assert google.fault(row, GOOGLE) is None


def test_a_country_is_the_code_that_each_vendor_wants_by_whatever_name_it_was_told() -> None:
    told = {"email": "a@example.com", "first_name": "Jo", "last_name": "Lee", "postal_code": "94035-1234"}
    for name in ("United States", "usa", "U.S.A.", "US"):
        address = google.identifiers(told | {"country": name})[-1]["address"]
        assert address["regionCode"] == "US"
        member = dict(
            zip(meta.SCHEMA, meta.member({"extern_id": "p", "zip": "94035-1234", "country": name}), strict=True)
        )
        assert (member["COUNTRY"], member["ZIP"]) == (hashing.sha256("us"), hashing.sha256("94035"))
        assert meta.member({"extern_id": "p", "st": " New York", "country": name})[6] == hashing.sha256("ny")
        assert braze.attributes({"external_id": "p", "country": name})["country"] == "US"
    assert len(google.identifiers(told | {"country": "Neverland"})) == 1, (
        "Google refuses the request for a code it does not know"
    )
    assert braze.attributes({"external_id": "p", "country": None}) == {"external_id": "p", "country": None}


def test_a_number_that_names_no_country_is_somebody_elses_abroad_and_is_left_out() -> None:
    assert meta.member({"extern_id": "p", "phone": "0664 1234567"}) == ["p", *[""] * 8]
    assert google.identifiers({"phone": "0664 1234567"}) == []
    profile = klaviyo.profile({"external_id": "p", "phone_number": "0664 1234567", "email": "a@example.com"})
    assert profile["attributes"] == {"external_id": "p", "email": "a@example.com"}, "Klaviyo would not take the profile"


def test_rows_of_our_own_shape() -> None:
    request = plain.upserts(one("p1", segment="loyal"), {})
    assert request.body == {"rows": [{"key": "p1", "row": {"segment": "loyal"}}], "removed": []}
    assert plain.refused(request, {"rejected": [{"key": "p1", "reason": "no"}, {"key": "other"}, "x"]}) == {"p1": "no"}
    assert plain.refused(request, ["strange"]) == {}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_names_the_rows_of_its_requests(name: str) -> None:
    shape = SHAPES[name]
    options = HUBSPOT | GOOGLE
    row = {"external_id": "k", "id": "k", "extern_id": "k", "email": "ann@example.com"}
    assert shape.upserts([Said("k", row)], options).keys == ("k",)
    assert shape.removals([Removal("k", shape.identity(row, options))], options).keys == ("k",)
