"""What somebody else's server answers: no more of it than was asked for, and no longer."""

import time

import urllib3

_CHUNK_BYTES = 65_536


def fetched_bytes(answer: urllib3.BaseHTTPResponse, *, most_bytes: int, seconds: float) -> bytes:
    """The body, unpacked.

    Raises:
        OSError: it is larger, or is not there in time, or breaks off.
    """
    content, until = bytearray(), time.monotonic() + seconds
    try:
        while chunk := answer.read1(_CHUNK_BYTES, decode_content=True):
            content += chunk
            if len(content) > most_bytes:
                raise OSError(f"more than {most_bytes} bytes")
            if time.monotonic() > until:
                raise OSError(f"not all of it within {seconds:.0f} s")
    except urllib3.exceptions.HTTPError as error:  # reading is urllib3's own
        raise OSError(str(error)) from error
    return bytes(content)
