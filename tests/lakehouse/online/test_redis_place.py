import traceback
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config.limits import faults
from lakehouse.errors import StoreError
from lakehouse.online.redis_place import redis_place
from lakehouse.online.store import REDIS


def test_the_forms_of_the_url() -> None:
    one = redis_place("redis://ana:s%2Fecret@cache:7000/3")
    assert (one.kind, one.hosts, str(one)) == ("", (("cache", 7000),), "redis at cache:7000")
    sentinels = redis_place(
        "rediss+sentinel://ana:s%2Fecret@a,b:27000,[::1]:5/lake/3?sentinel_password=p&ssl_ca_certs=ca.pem"
    )
    assert sentinels.hosts == (("a", 26379), ("b", 27000), ("::1", 5))
    assert sentinels.service == "lake"
    tls = {"ssl": True, "ssl_ca_certs": "ca.pem"}
    assert sentinels.settings == tls | {"username": "ana", "password": "s/ecret", "db": 3}
    assert sentinels.of_sentinels == tls | {"password": "p"}
    nodes = redis_place("redis+cluster://:secret@a,b:7001")
    assert nodes.hosts == (("a", 6379), ("b", 7001))
    assert nodes.settings == {"ssl": False, "password": "secret"}
    for place in (one, sentinels, nodes):
        assert "ecret" not in f"{place} {place!r}"


FAULTS = {
    "redis+sentinel://h": "no name of the server",
    "redis+sentinel://h/": "no name of the server",
    "redis+sentinel://h/lake/x": "database is no number",
    "redis+sentinel://h:0/lake": "one of its hosts is none",
    "redis+sentinel:///lake": "one of its hosts is none",
    "redis+cluster://a,,b": "one of its hosts is none",
    "redis+cluster://a:99999": "one of its hosts is none",
    "redis+cluster://a/1": "a cluster has one database",
    "redis+cluster://a?db=1": "an option of it is not known",
    "redis+sentinel://h/lake?timeout=1": "an option of it is not known",
    "redis+cluster://:pa?geheim@host-a:6379,host-b:6379": "an option of it is not known",
    "redis://user:geh/eim@host": "its host, port or an option of it is none",
    "redis+x://h": "no URL of Redis",
}


@pytest.mark.parametrize("url", FAULTS)
def test_what_is_wrong_with_a_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match=r"online_store\.url: .*, expected redis.*Mend the configuration") as told:
        redis_place(url)
    assert FAULTS[url] in str(told.value)
    assert "geh" not in "".join(traceback.format_exception(told.value))


@given(st.text("redis+cluntl:/@,?=a1.[]", max_size=40))
def test_any_other_text_is_refused_in_words(text: str) -> None:
    for url in (text, f"redis+sentinel://{text}", f"rediss+cluster://{text}", f"redis://{text}"):
        with suppress(StoreError):
            assert redis_place(url).hosts


@pytest.mark.parametrize("scheme", REDIS)
def test_the_configuration_takes_each_form(scheme: str) -> None:
    assert not list(faults({"online_store": {"url": f"{scheme}h/x"}}))
