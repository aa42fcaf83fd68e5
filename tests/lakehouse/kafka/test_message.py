from lakehouse.kafka.message import routing_key


def test_the_key_is_the_anonymous_id_before_the_user_id() -> None:
    assert routing_key("a1", "u1") == b"a1"
    assert routing_key(None, "u1") == b"u1"


def test_a_personal_identifier_is_hashed_into_a_stable_key() -> None:
    key = routing_key(None, None, None, "ann@example.com")
    assert key == routing_key(None, None, "ann@example.com")
    assert b"ann" not in key
    assert key != routing_key(None, None, None, "bob@example.com")
