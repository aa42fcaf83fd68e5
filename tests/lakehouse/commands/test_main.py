import pytest

from lakehouse.commands import __main__ as commands
from lakehouse.commands import launcher


def test_every_command_of_the_usage_is_known_and_the_other_way_round(capsys: pytest.CaptureFixture[str]) -> None:
    commands.main(["help"])
    usage = capsys.readouterr().out
    for command in launcher.COMMANDS:
        assert any(line.strip().startswith(command) or f"| {command} " in line for line in usage.splitlines()), command
