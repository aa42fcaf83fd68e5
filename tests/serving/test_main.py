import pytest

from lakehouse.errors import StitchlakeError
from lakehouse.machine import free_port
from serving.__main__ import _listen, main


def test_serve_takes_no_argument() -> None:
    with pytest.raises(StitchlakeError, match="expected no argument"):
        main(["--port=1"])


def test_a_port_that_is_taken_is_told() -> None:
    port = free_port()
    with _listen(port), pytest.raises(StitchlakeError, match=f"serving.port: {port} is taken"):
        _listen(port)
