import pytest

from lakehouse.commands import key
from lakehouse.config.keys import Keyring, is_declared
from lakehouse.errors import StitchlakeError


def test_the_key_is_told_once_beside_the_entry_that_makes_it_valid(capsys: pytest.CaptureFixture[str]) -> None:
    key.main(["shop-api", "decide", "profiles"])
    text, declared = (line.split(": ", 1)[1].strip() for line in capsys.readouterr().out.splitlines())
    assert is_declared(declared)
    held = Keyring([declared], is_open=False).holder(text)
    assert held is not None
    assert (held.name, held.scopes) == ("shop-api", {"decide", "profiles"})


@pytest.mark.parametrize("argv", [[], ["web"], ["web", "all"], ["We b", "ingest"], ["a:b", "ingest"]])
def test_what_could_not_be_declared_is_refused_with_an_example(argv: list[str]) -> None:
    with pytest.raises(StitchlakeError, match="For example"):
        key.main(argv)
