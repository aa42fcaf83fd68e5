"""Google: members of a customer match list, by the Data Manager API. Source:
https://developers.google.com/data-manager/api/devguides/audiences/send-audience-members (10,000 a request).

Columns: email, phone, first_name, last_name, country, postal_code, as they were told; they are brought into Google's form and hashed here.
Google knows a member by nothing else, so the ledger keeps the hashes that were sent, to remove by. Options: account (of Google Ads,
digits), audience (id of the list), and login_account, where a manager's account logs in. Each row has passed the gate for its purpose; so
the consent of the request says that it was given.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from lakehouse.exports.rows import Removal, Row
from lakehouse.exports.shapes import hashing
from lakehouse.exports.shapes.shape import Options, Request, Said, Shape

_CONSENT = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}
_TERMS = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}


def identifiers(row: Row) -> list[dict[str, Any]]:
    """What a member is known by. An address is one only with all its parts."""
    get = row.get
    found: list[dict[str, Any]] = []
    if email := hashing.sha256(hashing.google_email(get("email"))):
        found.append({"emailAddress": email})
    if phone := hashing.sha256(hashing.google_phone(get("phone"))):
        found.append({"phoneNumber": phone})
    given, family = (hashing.sha256(hashing.google_name(get(name))) for name in ("first_name", "last_name"))
    region, postal = hashing.region(get("country")), (get("postal_code") or "").strip()
    if given and family and region and postal:
        found.append(
            {"address": {"givenName": given, "familyName": family, "regionCode": region, "postalCode": postal}}
        )
    return found


def fault(row: Row, _: Options) -> str | None:
    """Google takes no member without an identifier, and refuses the whole request."""
    return None if identifiers(row) else "no e-mail address, telephone number or whole address"


def identity(row: Row, _: Options) -> str | None:
    return orjson.dumps(identifiers(row)).decode()


def upserts(rows: Sequence[Said], options: Options) -> Request:
    members = [{"userData": {"userIdentifiers": identifiers(said.row)}} for said in rows]
    body = {**_head(options), "audienceMembers": members, "consent": _CONSENT, "termsOfService": _TERMS}
    return Request(path="v1/audienceMembers:ingest", body=body, keys=tuple(said.key for said in rows))


def removals(gone: Sequence[Removal], options: Options) -> Request:
    members = [{"userData": {"userIdentifiers": orjson.loads(removal.identity or "[]")}} for removal in gone]
    body = {**_head(options), "audienceMembers": members}
    return Request(path="v1/audienceMembers:remove", body=body, keys=tuple(removal.key for removal in gone))


def _head(options: Options) -> dict[str, Any]:
    account = {"accountType": "GOOGLE_ADS", "accountId": options["account"]}
    login = {"loginAccount": account | {"accountId": options["login_account"]}} if "login_account" in options else {}
    destination = {"operatingAccount": account, **login, "productDestinationId": options["audience"]}
    return {"destinations": [destination], "encoding": "HEX"}


SHAPE = Shape(
    most_rows=10_000,
    most_removals=10_000,
    upserts=upserts,
    removals=removals,
    identity=identity,
    needs=frozenset({"email"}),
    options=frozenset({"account", "audience"}),
    fault=fault,
)
