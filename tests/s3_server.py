"""A real S3 server on a free port, over a folder, gone afterwards: S3Proxy, from Maven's jars.

It checks signatures as S3 does, and keeps `If-None-Match: *` by linking a file.
"""

import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lakehouse import jars, machine

VERSION = "4.1.0"
BUCKET = "lakes"
START_SECONDS = 60.0
# Its library tells every step unless it is told not to.
_LOGBACK = """<configuration>
  <appender name="err" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d %p %c{1}: %m%n</pattern></encoder></appender>
  <root level="warn"><appender-ref ref="err"/></root>
</configuration>
"""


@contextmanager
def running(folder: Path) -> Iterator[Mapping[str, str]]:
    """What the environment of its clients says: address and keys, by the names that all of them read. The bucket is there."""
    port, identity, credential = machine.free_port(), secrets.token_hex(8), secrets.token_hex(16)
    (folder / "data" / BUCKET).mkdir(parents=True)
    settings = {
        "s3proxy.endpoint": f"http://127.0.0.1:{port}",
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": identity,
        "s3proxy.credential": credential,
        "jclouds.provider": "filesystem",
        "jclouds.identity": identity,
        "jclouds.credential": credential,
        "jclouds.filesystem.basedir": str(folder / "data"),
    }
    config = folder / "s3proxy.conf"
    config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
    (folder / "logback.xml").write_text(_LOGBACK, encoding="utf-8")
    cache = machine.cache_folder()
    files = jars.resolve(f"org.gaul:s3proxy:{VERSION}", cache, ivy=cache / f"s3proxy-{VERSION}")
    java = [machine.java(), "-Xmx512m", "-XX:+UseSerialGC", f"-Dlogback.configurationFile={folder / 'logback.xml'}"]
    with (folder / "s3proxy.log").open("w") as log:
        command = [*java, "-cp", ":".join(map(str, files)), "org.gaul.s3proxy.Main", "--properties", str(config)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        is_up = machine.wait_until(lambda: not machine.is_port_free(port) or process.poll() is not None, START_SECONDS)
        assert is_up, "no answer"
        assert process.poll() is None, (folder / "s3proxy.log").read_text()[-2000:]
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": identity,
            "AWS_SECRET_ACCESS_KEY": credential,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",  # delta-rs asks for it
        }
    finally:
        process.terminate()
        process.wait()
