"""A real Chromium without a window, spoken to by its DevTools protocol: https://chromedevtools.github.io/devtools-protocol/."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 60.0
_LISTENS = "DevTools listening on "
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run")


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self.command("Page.enable")
        self.command("Network.enable")

    def command(self, method: str, **parameters: Any) -> Any:
        """Its result; what the browser tells meanwhile is passed over."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (told := json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))).get("id") != number:
            pass
        assert "error" not in told, told
        return told["result"]

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        said = self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def go(self, address: str) -> None:
        """Leave the page, and wait until the next one is loaded, scripts included."""
        self.command("Page.navigate", url=address)
        while json.loads(self._socket.recv(timeout=PATIENCE_SECONDS)).get("method") != "Page.loadEventFired":
            pass

    def be_online(self, is_online: bool) -> None:
        self.command(
            "Network.emulateNetworkConditions",
            offline=not is_online,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )


@contextmanager
def browsing(profile: Path) -> Iterator[Page]:
    """A browser with one tab; `profile`: the folder of what it keeps."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("no chromium on this machine; .ci/run installs it")
    command = [chromium, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browser:
        try:
            assert browser.stderr is not None
            told = next(line for line in browser.stderr if line.startswith(_LISTENS))
            port = told.removeprefix(_LISTENS).split("/")[2].partition(":")[2]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE_SECONDS) as answer:
                tab = next(one for one in json.loads(answer.read()) if one["type"] == "page")
            with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            browser.terminate()
