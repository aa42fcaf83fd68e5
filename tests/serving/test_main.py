import socket
from contextlib import ExitStack

import pytest

from lakehouse.errors import StitchlakeError
from lakehouse.machine import free_port
from serving.__main__ import _listen, main


def test_serve_takes_no_argument() -> None:
    with pytest.raises(StitchlakeError, match="expected no argument"):
        main(["--port=1"])


@pytest.mark.parametrize("there", [1, 2])
@pytest.mark.parametrize("coming", [1, 2])
def test_a_port_that_is_taken_is_told(there: int, coming: int) -> None:
    port = free_port()
    with ExitStack() as stack:
        for one in _listen(port, there):
            stack.enter_context(one)
        with pytest.raises(StitchlakeError, match=f"serving.port: {port} is taken"):
            _listen(port, coming)


def test_connections_are_dealt_out_to_several_processes() -> None:
    with ExitStack() as stack:
        listening = [stack.enter_context(one) for one in _listen(0, 2)]
        (address,) = {one.getsockname() for one in listening}
        for _ in range(64):
            stack.enter_context(socket.create_connection(address))
        for one in listening:
            one.setblocking(False)
            for _ in range(8):  # of 32 or so
                stack.enter_context(one.accept()[0])
