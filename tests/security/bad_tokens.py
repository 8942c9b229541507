"""Tokens that must let nobody in, each the good one with one thing wrong, written by hand and not by the library that reads them."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER, AUDIENCE = "https://issuer.example", "makegood"
ELSEWHERE = "http://127.0.0.1:1/keys.json"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""
Sign = Callable[[bytes], bytes]


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8))


@dataclass(frozen=True)
class Forge:
    """The issuer's key pairs, and somebody else's."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    wide: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    small: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 1024))
    other: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    large: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP384R1()))

    def jwks(self) -> dict[str, Any]:
        """What the issuer publishes: two keys that may be used, and five that may not."""
        shared = {"kty": "oct", "kid": "shared", "k": b64(b"k" * 32)}
        encrypting = self.described(self.other) | {"kid": "encrypting", "use": "enc"}
        strange = {"kty": "OKP", "crv": "Ed25519", "kid": "strange", "x": b64(b"x" * 32)}
        larger = self.described(self.large, "P-384", 48) | {"kid": "larger"}
        weak = self.modulus(self.small) | {"kid": "weak"}
        nameless = self.described(self.other)
        listed = [self.described(self.key) | {"kid": "one"}, self.modulus(self.wide) | {"kid": "rsa"}]
        return {"keys": [*listed, shared, encrypting, strange, larger, weak, nameless]}

    @staticmethod
    def described(key: ec.EllipticCurvePrivateKey, curve: str = "P-256", size: int = 32) -> dict[str, str]:
        at = key.public_key().public_numbers()
        return {"kty": "EC", "crv": curve, "x": number(at.x, size), "y": number(at.y, size)}

    @staticmethod
    def modulus(key: rsa.RSAPrivateKey) -> dict[str, str]:
        at = key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(at.n), "e": number(at.e)}

    def es256(self, content: bytes, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        r, s = decode_dss_signature((key or self.key).sign(content, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def es384(self, content: bytes) -> bytes:
        r, s = decode_dss_signature(self.large.sign(content, ec.ECDSA(SHA384())))
        return r.to_bytes(48) + s.to_bytes(48)

    def rs256(self, content: bytes, key: rsa.RSAPrivateKey | None = None) -> bytes:
        return (key or self.wide).sign(content, padding.PKCS1v15(), SHA256())

    def hs256(self, content: bytes, secret: bytes = b"k" * 32) -> bytes:
        return hmac.new(secret, content, hashlib.sha256).digest()

    def pem(self, *, of_rsa: bool) -> bytes:
        public = self.wide.public_key() if of_rsa else self.key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims() -> dict[str, Any]:
    now = int(time.time())
    told = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "name": "Ana", "iat": now, "exp": now + 300}
    return told | {"roles": ["manager", "operations", "system"], "teams": ["branch"]}


HEADER = {"alg": "ES256", "kid": "one", "typ": "at+jwt"}


def made(sign: Sign, header: Any = None, told: Any = None) -> str:
    """A token of this header and these claims; what is bytes stands as it is."""
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header or HEADER, told or claims())]
    content = ".".join(map(b64, parts))
    return f"{content}.{b64(sign(content.encode()))}"


def good(forge: Forge) -> Iterator[tuple[str, str]]:
    """Tokens that must be taken: what differs is allowed to."""
    now, sign = int(time.time()), forge.es256
    yield "plain", made(sign)
    yield "rsa", made(forge.rs256, HEADER | {"alg": "RS256", "kid": "rsa"})
    yield "among audiences", made(sign, told=claims() | {"aud": ["others", AUDIENCE]})
    yield "type written out", made(sign, HEADER | {"typ": "application/at+JWT"})
    yield "already valid", made(sign, told=claims() | {"nbf": now - 1})
    yield "issuer's clock a little ahead", made(sign, told=claims() | {"iat": now + 4, "nbf": now + 4})
    yield "half a second", made(sign, told=claims() | {"exp": now + 299.5})
    yield "claims that we do not know", made(sign, told=claims() | {"acr": "silver", "scope": "openid", "deep": {"a": [1, None]}})
    yield "thumbprint of a certificate", made(sign, HEADER | {"x5t": "abc"})


def bad(forge: Forge) -> Iterator[tuple[str, str]]:
    """Each kind by name, with a token of it."""
    yield from _algorithms(forge)
    yield from _keys(forge)
    yield from _claims(forge.es256)
    yield from _spellings(forge.es256)


def _algorithms(forge: Forge) -> Iterator[tuple[str, str]]:
    for name in ("none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "HS512", "EdDSA", "PS256", "ES256K", "ES512", "RS1"):
        yield f"algorithm {name!r}, signed as ES256", made(forge.es256, HEADER | {"alg": name})
    for name in ("none", "None", "NONE"):
        yield f"algorithm {name}, unsigned", made(lambda _: b"", HEADER | {"alg": name})
    yield "no algorithm", made(forge.es256, {"kid": "one", "typ": "at+jwt"})
    for wrong in (None, 1, True, ["ES256"], {"alg": "ES256"}):
        yield f"algorithm {json.dumps(wrong)}", made(forge.es256, HEADER | {"alg": wrong})
    yield "HS256 with the text of the public EC key", made(partial(forge.hs256, secret=forge.pem(of_rsa=False)), HEADER | {"alg": "HS256"})
    rsa_key = partial(forge.hs256, secret=forge.pem(of_rsa=True))
    yield "HS256 with the text of the public RSA key", made(rsa_key, HEADER | {"alg": "HS256", "kid": "rsa"})
    yield "HS256 with nothing", made(partial(forge.hs256, secret=b""), HEADER | {"alg": "HS256"})
    yield "HS256 with a secret among the keys", made(forge.hs256, HEADER | {"alg": "HS256", "kid": "shared"})
    yield "RS256 by the name of the EC key", made(forge.rs256, HEADER | {"alg": "RS256"})
    yield "ES256 by the name of the RSA key", made(forge.es256, HEADER | {"kid": "rsa"})
    yield "ES384 with a larger key of the issuer's", made(forge.es384, HEADER | {"alg": "ES384", "kid": "larger"})
    pss = padding.PSS(padding.MGF1(SHA256()), 32)
    yield "PS256 with the RSA key", made(lambda content: forge.wide.sign(content, pss, SHA256()), HEADER | {"alg": "PS256", "kid": "rsa"})


def _keys(forge: Forge) -> Iterator[tuple[str, str]]:
    other, sign = partial(forge.es256, key=forge.other), forge.es256
    jwk = forge.described(forge.other)
    yield "signed by somebody else", made(other)
    yield "signed by a key for encryption", made(other, HEADER | {"kid": "encrypting"})
    yield "signed by a weak key of the issuer's", made(partial(forge.rs256, key=forge.small), HEADER | {"alg": "RS256", "kid": "weak"})
    yield "no key is named", made(sign, {"alg": "ES256", "typ": "at+jwt"})
    for wrong in ("", "two", "one ", "ONE", "../one", "one\u0000", "' OR '1'='1", "k" * 5000, 1, None, ["one"], {"kid": "one"}):
        yield f"key {json.dumps(wrong)[:30]}", made(sign, HEADER | {"kid": wrong})
    yield "brings a key", made(other, HEADER | {"jwk": jwk})
    yield "brings a key, and is well signed", made(sign, HEADER | {"jwk": jwk})
    yield "brings a key under a name of its own", made(other, HEADER | {"jwk": jwk | {"kid": "mine"}, "kid": "mine"})
    for name in ("jku", "x5u"):
        yield f"{name} to elsewhere", made(other, HEADER | {name: ELSEWHERE})
        yield f"{name} to elsewhere, and is well signed", made(sign, HEADER | {name: ELSEWHERE})
    yield "x5c", made(other, HEADER | {"x5c": [b64(b"certificate")]})
    yield "crit, not understood", made(sign, HEADER | {"crit": ["unheard-of"], "unheard-of": 1})
    yield "crit, empty", made(sign, HEADER | {"crit": []})
    yield "crit of what is absent", made(sign, HEADER | {"crit": ["exp"]})
    yield "payload that is not encoded", made(sign, HEADER | {"b64": False, "crit": ["b64"]})
    yield "compressed", made(sign, HEADER | {"zip": "DEF"})
    yield "signature of nothing", made(lambda _: b"")
    yield "signature of zeros", made(lambda _: bytes(64))
    yield "signature of r and s of the order", made(lambda _: ORDER.to_bytes(32) * 2)
    yield "signature as DER", made(lambda content: forge.key.sign(content, ec.ECDSA(SHA256())))
    yield "signature cut short", made(lambda content: sign(content)[:-1])
    yield "signature with a byte more", made(lambda content: sign(content) + b"\0")
    yield "signature of other content", made(lambda _: sign(b"something else"))


def _claims(sign: Sign) -> Iterator[tuple[str, str]]:
    now = int(time.time())
    wrong: dict[str, list[Any]] = {
        "iss": ["https://elsewhere.example", ISSUER + "/", ISSUER.upper(), "", None, 1],
        "aud": ["others", "makegood2", "", [], ["others"], None, 1, {"makegood": 1}, [["makegood"]]],
        "exp": [now - 60, 0, -1, None, "", str(now + 300), "soon", True, [now + 300], {}],
        "nbf": [now + 120, "now", True, None],
        "iat": [now + 120, "now"],
        "sub": ["", None, 1, ["ana"], {"name": "ana"}, "a\nb", "s" * 300],
        "roles": ["manager", None, 1, {"manager": True}, ["manager", 1], [["manager"]], ["r"] * 101, ["a\u0000"]],
        "teams": ["branch", None, [None], ["t" * 300]],
        "name": [1, None, [], "n" * 300, "a\tb"],
    }
    for name, value in ((name, value) for name, values in wrong.items() for value in values):
        yield f"{name} is {json.dumps(value)[:40]}", made(sign, told=claims() | {name: value})
    for name in ("iss", "aud", "exp", "sub"):
        yield f"without {name}", made(sign, told={key: value for key, value in claims().items() if key != name})
    for kind in ("JWT", "jwt", "", "at+jwt ", "id+jwt", "logout+jwt", "dpop+jwt", "JWE", None, 1):
        yield f"type {json.dumps(kind)}", made(sign, HEADER | {"typ": kind})
    yield "no type", made(sign, {"alg": "ES256", "kid": "one"})


def _spellings(sign: Sign) -> Iterator[tuple[str, str]]:
    whole = made(sign)
    header, told, signature = whole.split(".")
    plain = json.dumps(claims()).encode()
    yield "a claim said twice", made(sign, told=plain[:-1] + b', "sub": "root"}')
    yield "roles said twice", made(sign, told=b'{"roles": [], ' + plain[1:])
    yield "a claim said twice, once by an escape", made(sign, told=b'{"\\u0073ub": "root", ' + plain[1:])
    yield "an algorithm said twice", made(sign, b'{"alg": "none", "alg": "ES256", "kid": "one", "typ": "at+jwt"}')
    yield "an expiry beyond numbers", made(sign, told=plain.replace(b'"exp":', b'"exp": 1e400, "x":'))
    yield "an expiry that is no number", made(sign, told=plain.replace(b'"exp":', b'"exp": NaN, "x":'))
    yield "an expiry without an end", made(sign, told=plain.replace(b'"exp":', b'"exp": Infinity, "x":'))
    for name, raw in (("no JSON", b"{"), ("a list", b"[]"), ("a text", b'"x"'), ("null", b"null"), ("no UTF-8", b'{"sub": "\xff"}')):
        yield f"claims that are {name}", made(sign, told=raw)
        yield f"a header that is {name}", made(sign, raw)
    yield "claims nested deeply", made(sign, told=plain[:-1] + b', "a": ' + b"[" * 2000 + b"]" * 2000 + b"}")
    yield "huge claims", made(sign, told=claims() | {"a": "x" * 50_000})
    yield "a mark in front of the claims", made(sign, told=b"\xef\xbb\xbf" + plain)
    yield "claims exchanged", f"{header}.{b64(plain.replace(b'ana', b'eve'))}.{signature}"
    yield "header exchanged", f"{b64(json.dumps(HEADER | {'x': 1}).encode())}.{told}.{signature}"
    for name, text in (
        ("two parts", f"{header}.{told}"), ("a fourth part", f"{whole}.x"), ("five parts, as if encrypted", f"{header}.x.x.x.x"),
        ("no signature", f"{header}.{told}."), ("no header", f".{told}.{signature}"), ("nothing but dots", ".."), ("padding", f"{whole}=="),
        ("a space within", f"{header}. {told}.{signature}"), ("plus and slash", f"{header}.{told}.{signature[:-2]}+/"),
        ("padding within", f"{header}=.{told}.{signature}"), ("a part of one letter", f"{header}.{told}.A"), ("a word", "bearer"),
        ("a tab behind", f"{whole}\t."), ("twice", f"{whole},{whole}"), ("its JSON form", json.dumps({"payload": told})),
        ("letters of no alphabet", f"{header}.{told}.{signature[:-1]}\xe9"), ("percent signs", whole.replace(".", "%2E")),
    ):  # fmt: skip
        yield name, text
    yield "bits that say nothing", whole[:-1] + _neighbour(whole[-1])


def _neighbour(letter: str) -> str:
    """The letter beside one that differs in the lowest bit only, which the last letter of 64 bytes does not use."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(letter) ^ 1]
