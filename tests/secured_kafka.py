"""One real broker that asks who is there: the fixture `secured`, for a module. SASL_SSL with every mechanism, SSL with client certificates,
and a plain listener. Its authority, its users and its server of tokens are made anew.
"""

import base64
import dataclasses
import datetime
import ipaddress
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from lakehouse import machine
from lakehouse.config import KafkaConfig, LakeConfig, load
from lakehouse.kafka import admin, clients, server
from lakehouse.kafka.server import HOST

USER = "shop"
PASSWORD = 'p"; user_x="\\\\n ${HOME} {a,b} =#!ä€😀 \\" end'  # whatever it holds, it is one password
CLIENT, CLIENT_SECRET = "stitchlake", "s3cret:/ä+"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
KEY_PASSWORD = "open sesame"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SecuredBroker:
    """plain, sasl_ssl, mutual: addresses of its listeners. folder: where its PEM files are. token_url: of its server of tokens."""

    plain: str
    sasl_ssl: str
    mutual: str
    folder: Path
    token_url: str

    def options(self, mechanism: str = "SCRAM-SHA-512", **more: str) -> dict[str, str]:
        """As [kafka.options] has them; `more` with underscores, and "" takes one out."""
        options = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism,
            "ssl.ca.location": str(self.folder / "ca.pem"),
        }
        if mechanism == "OAUTHBEARER":
            options |= {
                "sasl.oauthbearer.token.endpoint.url": self.token_url,
                "sasl.oauthbearer.client.id": CLIENT,
                "sasl.oauthbearer.client.secret": CLIENT_SECRET,
            }
        else:
            options |= {"sasl.username": USER, "sasl.password": PASSWORD}
        options |= {name.replace("_", "."): value for name, value in more.items()}
        return {name: value for name, value in options.items() if value}

    def cluster(self, mechanism: str = "SCRAM-SHA-512", **more: str) -> KafkaConfig:
        """The listener of SASL_SSL, with its options."""
        return self._at(self.sasl_ssl, self.options(mechanism, **more))

    def mutual_cluster(self) -> KafkaConfig:
        """The listener that asks for a certificate."""
        options = {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.folder / "ca.pem"),
            "ssl.certificate.location": str(self.folder / "client.pem"),
            "ssl.key.location": str(self.folder / "client.key"),
            "ssl.key.password": KEY_PASSWORD,
        }
        return self._at(self.mutual, options)

    def _at(self, servers: str, options: Mapping[str, str]) -> KafkaConfig:
        return dataclasses.replace(load("dev", environ={}).kafka, bootstrap_servers=servers, options=options)


@contextmanager
def running(folder: Path) -> Iterator[SecuredBroker]:
    """Until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    authority(folder)
    signer = rsa.generate_private_key(65537, 2048)
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": [_public(signer)]}))
    plain, sasl_ssl, mutual = (machine.free_port() for _ in range(3))
    config = dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=str(folder), keep_hours=1))
    java, *rest = server.prepare(config, folder, plain)
    _secure(folder / "server.properties", folder, sasl_ssl, mutual, keys.as_uri())
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}"
    with (folder / "broker.log").open("w") as log, _tokens(signer) as token_url:
        process = subprocess.Popen([java, allowed, *rest], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            broker = SecuredBroker(
                plain=f"{HOST}:{plain}",
                sasl_ssl=f"{HOST}:{sasl_ssl}",
                mutual=f"{HOST}:{mutual}",
                folder=folder,
                token_url=token_url,
            )
            open_door = broker._at(broker.plain, {})
            assert machine.wait_until(lambda: process.poll() is not None or admin.answers(open_door), 60)
            assert process.poll() is None, server.last_error(folder / "broker.log")
            _add_user(open_door)
            yield broker
        finally:
            process.terminate()
            process.wait(20)


def authority(folder: Path) -> None:
    """ca.pem, server.pem (key and certificate), client.pem and client.key (encrypted); other_ca.pem of an authority that signed nothing."""
    key, ca = _certificate("Test authority")
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    own, certificate = _certificate("broker", signed_by=(key, ca))
    (folder / "server.pem").write_bytes(_pem(own) + certificate.public_bytes(serialization.Encoding.PEM))
    own, certificate = _certificate("client", signed_by=(key, ca))
    (folder / "client.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "client.key").write_bytes(_pem(own, KEY_PASSWORD))
    _, other = _certificate("Other authority")
    (folder / "other_ca.pem").write_bytes(other.public_bytes(serialization.Encoding.PEM))


def _certificate(name: str, signed_by: tuple[Any, x509.Certificate] | None = None) -> tuple[Any, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, issuer = (key, subject) if signed_by is None else (signed_by[0], signed_by[1].subject)
    now = datetime.datetime.now(datetime.UTC)
    hosts = [x509.IPAddress(ipaddress.ip_address(HOST))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return key, made.sign(signer, hashes.SHA256())


def _pem(key: Any, password: str | None = None) -> bytes:
    sealed = (
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password.encode())
    )
    made: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    return made


def _secure(properties: Path, folder: Path, sasl_ssl: int, mutual: int, keys: str) -> None:
    """Two more listeners. Of a key that is there twice the later line counts."""
    written = dict(line.split("=", 1) for line in properties.read_text().splitlines())
    more = {"SASL": (sasl_ssl, "SASL_SSL"), "MUTUAL": (mutual, "SSL")}
    addresses = "".join(f",{name}://{HOST}:{port}" for name, (port, _) in more.items())
    protocols = "".join(f",{name}:{protocol}" for name, (_, protocol) in more.items())
    password = clients._quoted(PASSWORD)
    settings = {
        "listeners": written["listeners"] + addresses,
        "advertised.listeners": written["advertised.listeners"] + addresses,
        "listener.security.protocol.map": written["listener.security.protocol.map"] + protocols,
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": folder / "server.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": folder / "ca.pem",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.sasl.plain.sasl.jaas.config": f"{_module('plain.Plain')} required user_{USER}={password};",
        **{
            f"listener.name.sasl.{name}.sasl.jaas.config": f"{_module('scram.Scram')} required;"
            for name in ("scram-sha-256", "scram-sha-512")
        },
        "listener.name.sasl.oauthbearer.sasl.jaas.config": f"{_module('oauthbearer.OAuthBearer')} required;",
        "listener.name.sasl.oauthbearer.sasl.server.callback.handler.class": "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
        "sasl.oauthbearer.jwks.endpoint.url": keys,
        "sasl.oauthbearer.expected.audience": "kafka",
    }
    with properties.open("a", encoding="ascii") as file:
        file.writelines(f"{key}={_escaped(str(value))}\n" for key, value in settings.items())


def _module(name: str) -> str:
    return f"org.apache.kafka.common.security.{name}LoginModule"


def _escaped(text: str) -> str:
    """As java.util.Properties reads it back."""
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(f"\\u{code:04x}" if code > 126 or code == 92 else chr(code) for code in codes)


def _add_user(cluster: KafkaConfig) -> None:
    client = AdminClient({**clients.librdkafka(cluster), "log_level": 0})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        known = UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
        client.alter_user_scram_credentials([known])[USER].result(20)


@contextmanager
def _tokens(signer: rsa.RSAPrivateKey) -> Iterator[str]:
    """Who gives tokens to whoever knows the secret: its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            known = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
            is_known = self.headers.get("authorization") == f"Basic {known}"
            said = {"access_token": _token(signer), "token_type": "Bearer", "expires_in": 300} if is_known else {}
            body = json.dumps(said).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer((HOST, 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{http.server_port}/token"
        http.shutdown()


def _token(signer: rsa.RSAPrivateKey) -> str:
    now = int(time.time())
    claims = {"sub": CLIENT, "aud": "kafka", "iat": now, "exp": now + 300, "scope": "kafka"}
    head = _letters(json.dumps({"alg": "RS256", "typ": "JWT", "kid": "1"}).encode())
    said = f"{head}.{_letters(json.dumps(claims).encode())}"
    return f"{said}.{_letters(signer.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _public(signer: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = signer.public_key().public_numbers()
    e, n = (_letters(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.e, numbers.n))
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "e": e, "n": n}


def _letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
