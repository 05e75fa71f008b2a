"""pyas2lib: for each document, its sender signs a message, its receiver verifies it and signs an MDN, the sender verifies that.

RSA of 2,048 bits, as AS2 has it. Nothing is stored. Told: the documents a second of each round.
"""

import datetime
import json
import re
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

# oscrypto, which pyas2lib stands on, cannot read a version of OpenSSL whose last number has two digits.
NARROW, read = r"\b(\d\.\d\.\d[a-z]*)\b", re.search
re.search = lambda pattern, *rest: read(r"(\d+\.\d+\.\d+)" if pattern == NARROW else pattern, *rest)
from pyas2lib.as2 import Mdn, Message, Organization, Partner  # noqa: E402

re.search = read
PASS = "bench"


def identity(name):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    certificate = made.not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    held = pkcs12.serialize_key_and_certificates(
        name.encode(), key, certificate, None, BestAvailableEncryption(PASS.encode())
    )
    return held, certificate.public_bytes(Encoding.PEM)


def exchange(paper, sender, receiver, to, back):
    sent = Message(sender, to)
    sent.build(paper, content_type="application/octet-stream")
    came = Message()
    status, _, mdn = came.parse(
        sent.headers_str + b"\r\n" + sent.content,
        find_org_cb=lambda _: receiver,
        find_partner_cb=lambda _: back,
    )
    if status != "processed":
        raise SystemExit(status)
    told, detail = Mdn().parse(mdn.headers_str + b"\r\n" + mdn.content, find_message_cb=lambda *_: sent)
    if told != "processed":
        raise SystemExit(f"{told} {detail}")


def main(file, count, rounds):
    with open(file, "rb") as reading:
        papers = reading.read().splitlines()[:count]
    ours, our_cert = identity("ours")
    theirs, their_cert = identity("theirs")
    sender = Organization("ours", sign_key=ours, sign_key_pass=PASS)
    receiver = Organization("theirs", sign_key=theirs, sign_key_pass=PASS)
    to = Partner(
        "theirs",
        verify_cert=their_cert,
        validate_certs=False,
        sign=True,
        mdn_mode="SYNC",
        mdn_digest_alg="sha256",
    )
    back = Partner("ours", verify_cert=our_cert, validate_certs=False, sign=True)
    rates = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for paper in papers:
            exchange(paper, sender, receiver, to, back)
        rates.append(len(papers) / (time.perf_counter() - begun))
    print(json.dumps(rates))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
