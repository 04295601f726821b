# SPDX-License-Identifier: Apache-2.0
"""Keys, tokens and certificates for tests, made by openssl and by hand, so not by what is tested."""

import base64
import hashlib
import hmac
import json
import pathlib
import ssl
import subprocess
import time


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, check=True, capture_output=True, timeout=60).stdout


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def key_line(principal, key):
    return f"{principal} {hashlib.sha256(key.encode()).hexdigest()}\n"


def write_private(path, text):
    path = pathlib.Path(path)
    path.touch(mode=0o600)
    path.write_text(text)
    return path


class Issuer:
    """Signs tokens: HS256 with `secret`, RS256 and ES256 with a private key of its own."""

    def __init__(self, folder, algorithm="HS256", secret="a secret of at least thirty-two bytes", name="issuer"):
        self.algorithm, self.secret = algorithm, secret
        self.private, self.public = (pathlib.Path(folder) / f"{name}-{algorithm}.{end}" for end in ("key", "pub"))
        if algorithm == "HS256":
            write_private(self.public, secret + "\n")
            return
        kind = ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if algorithm == "RS256" else ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("genpkey", "-algorithm", *kind, "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def sign(self, text):
        if self.algorithm == "HS256":
            return hmac.new(self.secret.encode(), text, hashlib.sha256).digest()
        signature = openssl("dgst", "-sha256", "-sign", self.private, data=text)
        return signature if self.algorithm == "RS256" else raw_of(signature)

    def token(self, subject="alice", header=None, **claims):
        """Claims with a value of None are left out."""
        head = {"alg": self.algorithm, "typ": "JWT", **(header or {})}
        body = {"sub": subject, "exp": int(time.time()) + 600, **claims}
        parts = [b64url(json.dumps({k: v for k, v in part.items() if v is not None}).encode()) for part in (head, body)]
        return ".".join(parts + [b64url(self.sign(".".join(parts).encode()))])


def raw_of(der):
    """An ECDSA signature as JOSE writes it: r and s in 32 bytes each (RFC 7518 section 3.4)."""
    at, numbers = 2, []
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return b"".join(numbers)


def certificate(folder, name="server"):
    """A self-signed one for 127.0.0.1: (certificate, key)."""
    cert, key = pathlib.Path(folder) / f"{name}.pem", pathlib.Path(folder) / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert)
    key.chmod(0o600)
    return cert, key


def trusting(cert):
    return ssl.create_default_context(cafile=str(cert))
