"""What other systems document of their identity resolution, as events in and people out: theirs, or why not.

Every docstring names the page the rows are from and, after "Differs", where Stitchlake answers otherwise and why. Values
are retyped from the pages; types are ours (a first-party cookie is an anonymous_id, an advertising or vendor id a device_id).
"""

from datetime import UTC, datetime

import pytest

from lakehouse.events.identifiers import resolve
from lakehouse.identity.contradictions import InForce, contradiction
from lakehouse.identity.overrides import NamedIdentifier, Override
from tests.lakehouse.identity.told_events import CONFIG, Graph, end_states, limited, people, profiles, streamed, told


def partition(*groups: str) -> set[frozenset[str]]:
    return {frozenset(group.split()) for group in groups}


SEGMENT_MERGE = [
    "event_1 2022-05-02T14:01:00 anonymous_id=5285bc35-05ef-4d21",
    "event_2 2022-05-02T14:01:47 anonymous_id=5285bc35-05ef-4d21 email=jane.kim@segment.com",
    "event_3 2022-06-22T10:47:15 anonymous_id=b50e18a5-1b8d-451c",
    "event_4 2022-06-22T10:48:00 anonymous_id=b50e18a5-1b8d-451c email=jane.kim@segment.com",
]


def test_segment_id_graph_updates():
    """Segment, Profiles Sync tables and materialized views: id_graph_updates, external_id_mapping_updates.

    The listing of event 3 shows an e-mail, its text and the mapping table say it had none: the text is taken.
    Differs: none in the end. Our log is finer, one row per actor: the bundles of events 2 and 4 are actors, attached.
    """
    graph = streamed(SEGMENT_MERGE)
    assert graph.log == [
        ("create", "event_1", None, "event_1"),
        ("attach", "event_2", None, "event_1"),
        ("create", "event_3", None, "event_3"),
        ("merge", "event_3", "event_3", "event_1"),
        ("attach", "event_4", None, "event_1"),
    ]
    id_graph_updates = [(before or after, after) for type_, _, before, after in graph.log if type_ != "attach"]
    assert id_graph_updates == [("event_1", "event_1"), ("event_3", "event_3"), ("event_3", "event_1")]
    assert graph.first_profile == {
        ("anonymous_id", "5285bc35-05ef-4d21"): "event_1",
        ("email", resolve("email", "jane.kim@segment.com", CONFIG)): "event_1",
        ("anonymous_id", "b50e18a5-1b8d-451c"): "event_3",
    }
    assert set(graph.profiles().values()) == {"event_1"}


def test_segment_id_graph_updates_with_the_email_the_listing_shows():
    """The other reading of the page: event 3 carries the e-mail already, so that there never is a second profile."""
    carried = [line.replace("451c", "451c email=jane.kim@segment.com") for line in SEGMENT_MERGE[2:3]]
    graph = streamed([*SEGMENT_MERGE[:2], *carried, SEGMENT_MERGE[3]])
    assert set(graph.profiles().values()) == {"event_1"}
    assert [type_ for type_, *_ in graph.log] == ["create", "attach", "attach"]  # event 4 is the actor of event 3


def test_segment_recursive_entries():
    """The same page: profile_1 merges into a profile_0 later, and a row for profile_2, which had merged before, too.

    Differs: our row names the profile the actor came from last (profile_1), Segment's the one it was first in; no chain
    has to be followed either way.
    """
    graph = streamed(SEGMENT_MERGE).take(
        "event_0 2022-05-01T09:00:00 anonymous_id=old-cookie email=jane.kim@segment.com"
    )
    assert graph.log[5:] == [
        ("create", "event_0", None, "event_0"),
        *[("merge", event, "event_1", "event_0") for event in ("event_1", "event_2", "event_3", "event_4")],
    ]


def test_segment_priority():
    """Segment, Identity Resolution Onboarding, Priority: limits 1/5/5, a second user_id on a known e-mail.

    Differs: none in these two events. A later event with the e-mail alone goes to the first profile at Segment, because it
    came first; here an e-mail of two people is nobody's, whichever came first.
    """
    rules = limited(user_id=1, email=5, anonymous_id=5)
    lines = [
        "known 2026-01-01 user_id=abc123 email=jane@example1.com",
        "new 2026-01-02 user_id=abc456 email=jane@example1.com",
    ]
    assert end_states(lines, rules) == [{"known": "known", "new": "new"}]
    assert streamed(lines, rules).log == [("create", "known", None, "known"), ("create", "new", None, "new")]
    newsletter = "newsletter 2026-01-03 email=jane@example1.com"
    assert profiles([*lines, newsletter], rules)["newsletter"] == "newsletter"


TREASURE_COOKIES = """
    01-05 aaa_001 3rd_001, 01-05 yyy_001 3rd_001, 01-15 aaa_001 3rd_002, 01-15 zzz_001 3rd_002, 01-25 aaa_001 3rd_003,
    02-05 aaa_001 3rd_004, 02-05 xxx_001 3rd_004, 02-15 xxx_001 3rd_005, 02-15 yyy_002 3rd_005, 02-25 yyy_002 3rd_006,
    02-25 zzz_003 3rd_006, 03-05 zzz_003 3rd_007, 03-15 xxx_002 3rd_008, 03-15 zzz_003 3rd_008, 03-25 aaa_002 3rd_009,
    03-25 xxx_002 3rd_009, 04-05 aaa_002 3rd_010, 04-05 yyy_003 3rd_010, 04-15 yyy_003 3rd_011, 04-15 zzz_004 3rd_011,
    04-25 xxx_003 3rd_012, 04-25 zzz_004 3rd_012, 05-05 aaa_003 3rd_013, 05-05 xxx_003 3rd_013, 05-15 aaa_003 3rd_014,
    05-25 aaa_003 3rd_015, 05-25 yyy_004 3rd_015, 05-25 zzz_005 3rd_015, 06-05 aaa_003 3rd_016, 06-05 xxx_004 3rd_016,
    06-15 xxx_004 3rd_017, 06-15 zzz_005 3rd_017, 06-25 yyy_005 3rd_018, 06-25 zzz_005 3rd_018"""
TREASURE_LATER = """
    07-05 aaa_004 3rd_017, 07-05 xxx_005 3rd_018, 07-05 yyy_006 3rd_019, 07-05 zzz_006 3rd_018, 07-15 aaa_004 3rd_018,
    07-15 zzz_007 3rd_018, 08-05 aaa_005 3rd_018, 08-05 xxx_005 3rd_018, 08-15 xxx_006 3rd_019, 08-15 yyy_006 3rd_019,
    08-15 zzz_008 3rd_019, 08-25 aaa_005 3rd_019, 08-25 yyy_007 3rd_019"""


def visits(table: str) -> list[str]:
    """`01-05 aaa_001 3rd_001, ...`: td_client_id and td_global_id of one visit of 2023 to one of the four sites."""
    rows = [row.split() for row in table.split(",")]
    return [
        f"{client}/{other}/{day} 2023-{day}T00:{minute:02} anonymous_id={client} device_id={other}"
        for minute, (day, client, other) in enumerate(rows)
    ]


def test_treasure_data_four_sites_two_cookies():
    """Treasure Data, Learning canonical_id for Cookie ID: what looks like many visitors is one canonical_id.

    Differs: theirs is the hash of the smallest key and may change when a smaller one turns up; ours is the oldest actor's.
    The 18 third-party ids stay within identity.device_id.limit (20): a person with more would no longer be one.
    """
    answer = profiles(visits(TREASURE_COOKIES))
    assert len(answer) == 34
    assert set(answer.values()) == {"aaa_001/3rd_001/01-05"}


def test_treasure_data_incremental():
    """Treasure Data, What is incremental_update: the rows of July and August join the graph of the rows before.

    Differs: in the middle. Nothing but the oldest actor names a profile, so an update never renames one; only new rows
    are logged.
    """
    graph = Graph().take(*visits(TREASURE_COOKIES))
    before = len(graph.log)
    graph.take(*visits(TREASURE_LATER))
    assert set(graph.profiles().values()) == {"aaa_001/3rd_001/01-05"}
    assert {type_ for type_, *_ in graph.log[before:]} == {"attach"}
    assert graph.profiles() == profiles([*visits(TREASURE_COOKIES), *visits(TREASURE_LATER)])


TREASURE_FOUR_KEYS = [  # td_client_id, td_global_id, td_ssc_id, email; - where the site has none
    *("01-05 aaa_001 3rd_001 ssc_001 -", "01-05 - - ssc_001 a@ex.com", "01-15 aaa_001 3rd_002 ssc_001 -"),
    *("01-15 zzz_001 - - a@ex.com", "01-25 aaa_001 3rd_003 ssc_001 -", "02-05 aaa_001 3rd_004 ssc_001 -"),
    *("02-05 - 3rd_004 ssc_001 -", "02-15 - 3rd_005 ssc_001 -", "02-15 - - ssc_001 a@ex.com"),
    *("02-25 - - ssc_001 a@ex.com", "02-25 zzz_003 - - a@ex.com", "03-05 zzz_003 - - a@ex.com"),
    *("03-15 - 3rd_008 ssc_001 -", "03-15 zzz_003 - - a@ex.com", "03-25 aaa_002 3rd_009 ssc_002 -"),
    *("03-25 - 3rd_009 ssc_001 -", "04-05 aaa_002 3rd_010 ssc_002 -", "04-05 - - ssc_003 b@ex.com"),
    *("04-15 - - ssc_003 b@ex.com", "04-15 zzz_004 - - b@ex.com", "04-25 - 3rd_010 ssc_002 -"),
    *("04-25 zzz_004 - - c@ex.com", "05-05 aaa_003 3rd_013 ssc_003 -", "05-05 - 3rd_013 ssc_002 -"),
    *("05-15 aaa_003 3rd_014 ssc_003 -", "05-25 aaa_003 3rd_015 ssc_004 -", "05-25 - - ssc_003 c@ex.com"),
    *("05-25 zzz_005 - - c@ex.com", "06-05 aaa_003 3rd_016 ssc_004 -", "06-05 - 3rd_016 ssc_003 -"),
    *(
        "06-15 - 3rd_017 ssc_003 -",
        "06-15 zzz_005 - - c@ex.com",
        "06-25 - - ssc_004 c@ex.com",
        "06-25 zzz_005 - - c@ex.com",
    ),
]


def four_keys() -> list[str]:
    lines = []
    for minute, row in enumerate(TREASURE_FOUR_KEYS):
        day, *values = row.split()
        types = ("anonymous_id", "device_id", "td_ssc_id", "email")
        words = [f"{type_}={value}" for type_, value in zip(types, values, strict=True) if value != "-"]
        lines.append(f"row_{minute} 2023-{day}T00:{minute:02} {' '.join(words)}")
    return lines


def test_treasure_data_four_keys():
    """Treasure Data, Learning canonical_id for Cookie ID and Email: server-side cookie and e-mail tie one person.

    Differs: none. td_ssc_id is a type of our own making, with the defaults of a new section; without a rule for it links
    nobody, and the same rows are several people.
    """
    assert set(profiles(four_keys(), limited(td_ssc_id=5)).values()) == {"row_0"}
    assert len(people(profiles(four_keys()))) > 1


def test_treasure_data_do_not_merge_key():
    """Treasure Data, What is do_not_merge_key: six rows of member_id and email, four people.

    The telephone is no key there; here it makes every row an actor. Differs: none, a type of limit = 1 is what they call do_not_merge_key. Of a row with an e-mail of two members
    and no member_id the page says nothing; here it is nobody's.
    """
    rows = [
        "taka 2023-01-01 user_id=1 email=a@ex.com anonymous_id=tel-1111",
        "tatsuo 2023-01-02 user_id=2 email=a@ex.com anonymous_id=tel-2222",
        "naruse 2023-01-03 user_id=3 email=b@ex.com anonymous_id=tel-3333",
        "yuichiro 2023-01-04 user_id=3 email=b@ex.com anonymous_id=tel-4444",
        "minero 2023-01-05 email=c@ex.com anonymous_id=tel-5555",
        "kaz 2023-01-06 email=c@ex.com anonymous_id=tel-6666",
    ]
    expected = partition("taka", "tatsuo", "naruse yuichiro", "minero kaz")
    assert people(profiles(rows)) == expected
    assert people(streamed(reversed(rows)).profiles()) == expected


SNOWPLOW_MERGE = [
    "web 2026-01-01 anonymous_id=4b0dfa user_id=alice@company.com",
    "app 2026-01-02 device_id=6d920c",
    "login 2026-01-03 device_id=6d920c user_id=alice@company.com",
]


def test_snowplow_merge():
    """Snowplow, Identities, Merges: the app's anonymous id merges into the older one of the web, and an event says so.

    Differs: none. Their merge event is our row of type merge.
    """
    graph = streamed(SNOWPLOW_MERGE)
    assert graph.log == [
        ("create", "web", None, "web"),
        ("create", "app", None, "app"),
        ("merge", "app", "app", "web"),
        ("attach", "login", None, "web"),
    ]
    assert end_states(SNOWPLOW_MERGE) == [{"app": "web", "login": "web", "web": "web"}]


def test_snowplow_shared_phone():
    """Snowplow, Identities, Unique identifiers: Bob logs in on Alice's phone; who uses it without a login is neither.

    Differs: there a merge is for ever, so what the phone did before Alice's login stays hers and only later anonymous
    events are a new id. Here the bundle is one actor whatever the day: it leaves Alice, as a logged split.
    """
    lines = [
        *SNOWPLOW_MERGE,
        "bob 2026-01-04 device_id=6d920c user_id=bob@company.com",
        "third 2026-01-05 device_id=6d920c",
    ]
    graph = streamed(lines)
    assert people(graph.profiles()) == partition("web login", "bob", "app third")
    assert graph.log[4:] == [("split", "app", "web", "app"), ("create", "bob", None, "bob")]
    assert len(end_states(lines)) == 1


UNOMI_MASTER = "master 2026-01-01 anonymous_id=masterProfileID email=username@domain.com"


def test_unomi_merge_keeps_the_old_id_and_rewrites_the_past():
    """Unomi, ProfileMergeIT: simpleMergeAndCheckAlias, rewriteExistingSessionsEvents.

    Differs: none. Their ProfileAlias is our log row: the id that is gone, and where it went. Past events need no rewriting,
    they belong to their actor.
    """
    past = [f"view_{n} 2026-01-0{n + 1} anonymous_id=eventProfileID" for n in range(1, 6)]
    graph = streamed([UNOMI_MASTER, *past])
    assert graph.profiles()["view_5"] == "view_1"
    graph.take("login 2026-01-09 anonymous_id=eventProfileID email=username@domain.com")
    assert set(graph.profiles().values()) == {"master"}
    assert ("merge", "view_1", "view_1", "master") in graph.log


@pytest.mark.parametrize(
    ("unique", "rules"), [("user_id", CONFIG), ("email", limited(email=1))], ids=["user_id", "email as the unique one"]
)
def test_unomi_user_switch(unique, rules):
    """Unomi, ProfileMergeIT: sessionReassigned_newProfile, sessionReassigned_existingProfile.

    Their mergeIdentifier is unique, so it is a type of limit 1. Differs: they hand the session over to whoever logged in
    last; here a cookie of two people links nobody, and its anonymous events are a third profile's.
    """
    lines = [
        f"master 2026-01-02 anonymous_id=simpleSession {unique}=master@domain.com",
        f"switch 2026-01-03 anonymous_id=simpleSession {unique}=event@domain.com",
        "anonymous 2026-01-04 anonymous_id=simpleSession",
    ]
    assert end_states(lines, rules) == [{"anonymous": "anonymous", "master": "master", "switch": "switch"}]
    known = [*lines[:2], f"previous 2026-01-01 anonymous_id=elsewhere {unique}=event@domain.com"]
    assert end_states(known, rules) == [{"master": "master", "previous": "previous", "switch": "previous"}]


def test_two_emails_on_one_cookie_are_one_person_unless_an_email_is_unique():
    """Where Unomi's e-mail is unique and ours, by identity.email.limit = 5, is not: people have several."""
    lines = ["work 2026-01-01 anonymous_id=c email=ann@work.com", "home 2026-01-02 anonymous_id=c email=ann@home.com"]
    assert people(profiles(lines)) == partition("work home")


POSTHOG = {
    "an anonymous person is identified": (
        ["visit 2026-01-01 anonymous_id=anon-1", "identify 2026-01-02 anonymous_id=anon-1 user_id=user-A"],
        partition("visit identify"),
    ),
    "identified, then identified as another one in the same session": (
        [
            "visit 2026-01-01 anonymous_id=anon-1",
            "identify_A 2026-01-02 anonymous_id=anon-1 user_id=user-A",
            "identify_C 2026-01-03 anonymous_id=anon-1 user_id=user-C",
        ],
        partition("visit", "identify_A", "identify_C"),
    ),
    "alias of an id that was never identified": (
        [
            "backend 2026-01-01 anonymous_id=backend-77",
            "frontend 2026-01-02 user_id=frontend-77",
            "alias 2026-01-03 anonymous_id=backend-77 user_id=frontend-77",
        ],
        partition("backend frontend alias"),
    ),
    "alias of an id that was identified before": (
        [
            "user1 2026-01-01 user_id=user1",
            "user2 2026-01-02 user_id=user2",
            "alias 2026-01-03 anonymous_id=user1 user_id=user2",
        ],
        partition("user1", "user2 alias"),
    ),
}


@pytest.mark.parametrize("case", POSTHOG)
def test_posthog_merges(case):
    """PostHog, Identifying users: when a merge is refused.

    An alias event carries its previousId as an anonymous_id. Differs: with a second login on a session PostHog leaves the
    anonymous events with the first; here they are nobody's, because whoever came first is no evidence.
    """
    lines, expected = POSTHOG[case]
    assert people(profiles(lines)) == expected
    assert len(end_states(lines)) == 1


def test_posthog_merge_dangerously():
    """PostHog, $merge_dangerously: merges what has been identified, for ever.

    Differs: no event can; a person can, by ./spark-submit.sh identity link, undone at will, but not against the limit of
    user_id: that is refused in words.
    """
    pair = (NamedIdentifier("user_id", "user-A"), NamedIdentifier("user_id", "user-B"))
    link = Override(
        action="link",
        identifiers=pair,
        created_by="ann",
        reason="one customer",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert "expected at most 1" in str(contradiction(link, InForce(), CONFIG.identity.rules))
    assert contradiction(link, InForce(), limited(user_id=2).identity.rules) is None


POSTHOG_BANNED = [
    *(
        "anonymous",
        "guest",
        "distinctid",
        "distinct_id",
        "id",
        "not_authenticated",
        "email",
        "undefined",
        "true",
        "false",
    ),
]
POSTHOG_BANNED_AS_WRITTEN = ["[object Object]", "NaN", "None", "none", "null", "0", " ", "       "]


@pytest.mark.parametrize("type_", ["user_id", "anonymous_id"])
@pytest.mark.parametrize("value", [*POSTHOG_BANNED, *map(str.upper, POSTHOG_BANNED), *POSTHOG_BANNED_AS_WRITTEN])
def test_posthog_banned_ids(type_, value):
    """PostHog, Identifying users: strings that identify nobody, in any case or as written.

    Differs: here every value is compared in lower case, so `Null` and `NONE` are refused, too.
    """
    assert resolve(type_, value, CONFIG) is None


def test_jitsu_identity_stitching():
    """Jitsu, Identity Stitching: an anonymous visitor's three pages get the user of the identify event 23 days later.

    Differs: no 30 days; a visit of the year before is the user's, too. The e-mail of the page, test@..., is one of those
    we do not believe: the user_id alone ties them.
    """
    lines = [
        "shop 2023-01-01T00:00:00 anonymous_id=abc123",
        "order 2023-01-01T00:01:00 anonymous_id=abc123",
        "signup 2023-01-23T00:00:00 anonymous_id=abc123",
        "identify 2023-01-23T00:01:00 anonymous_id=abc123 user_id=1001 email=test@example.com",
    ]
    assert end_states(lines) == [dict.fromkeys(["identify", "order", "shop", "signup"], "shop")]
    assert dict(told(lines[3]).identifiers).keys() == {"anonymous_id", "user_id"}
    year_before = "first 2022-01-01 anonymous_id=abc123"
    assert set(profiles([*lines, year_before]).values()) == {"first"}
