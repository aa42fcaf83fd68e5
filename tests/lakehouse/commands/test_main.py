import re

import pytest

from lakehouse.commands import __main__ as commands
from lakehouse.commands import launcher


def test_every_command_of_the_usage_is_known_and_the_other_way_round(capsys: pytest.CaptureFixture[str]) -> None:
    commands.main(["help"])
    begins = re.findall(r"^  ((?:[a-z-]+ \| )*[a-z-]+)(?=\s|$)", capsys.readouterr().out, re.M)
    assert {word for begin in begins for word in begin.split(" | ")} == set(launcher.COMMANDS)
