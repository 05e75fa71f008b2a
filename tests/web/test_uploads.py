"""Attachments over HTTP: sent in parts, taken up again, read in ranges, with flat memory."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import Served, Signing, serving, until

from gardesh import wire
from gardesh.client import Client, Refused, Token
from gardesh.client import call as calls
from gardesh.model import http_signature
from gardesh.model.problem import Problem
from gardesh.record.blobs import Blobs
from gardesh.record.uploads import UNFINISHED, Uploads
from gardesh.web.attachments import asked_range, upkeep
from market import Market, application, key_of

PARTIAL = "application/partial-upload"


def part(who: httpx.Client, upload: str, offset: int, data: bytes, last: bool = False) -> httpx.Response:
    headers = {
        "upload-offset": str(offset),
        "upload-complete": "?1" if last else "?0",
        "content-type": PARTIAL,
    }
    return who.patch(f"/v1/uploads/{upload}", content=data, headers=headers)


def begin(who: httpx.Client) -> str:
    answer = who.post("/v1/uploads")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "0")
    assert answer.headers["location"] == f"/v1/uploads/{answer.json()['id']}"
    return str(answer.json()["id"])


def test_an_upload_goes_on_where_it_ended(served: Served) -> None:
    with served.by("ali") as ali:
        upload = begin(ali)
        assert part(ali, upload, 0, b"first ").json()["offset"] == 6
        head = ali.head(f"/v1/uploads/{upload}")
        assert (head.headers["upload-offset"], head.headers["upload-complete"]) == ("6", "?0")
        wrong = part(ali, upload, 3, b"x")
        assert (wrong.status_code, wrong.json()["code"]) == (409, "upload-offset-wrong")
        assert wrong.json()["params"]["offset"] == 6
        whole = part(ali, upload, 6, b"second", last=True)
        assert whole.json()["digest"] == sha256(b"first second").hexdigest()
        assert whole.headers["upload-complete"] == "?1"
        gone = ali.head(f"/v1/uploads/{upload}")
        assert (gone.headers["upload-complete"], gone.headers["upload-offset"]) == ("?1", "12")
        again = part(ali, upload, 6, b"second", last=True)
        assert again.json() == whole.json()
        assert part(ali, upload, 12, b"more").json()["code"] == "no-such-upload"


def test_an_upload_is_its_owners(served: Served) -> None:
    upload = begin(served.by("ali"))
    for who in (served.by("sara"), served.by("city")):
        assert who.head(f"/v1/uploads/{upload}").status_code == 404
        assert part(who, upload, 0, b"x").json()["code"] == "no-such-upload"
        assert who.delete(f"/v1/uploads/{upload}").status_code == 404
    assert served.nobody.post("/v1/uploads").status_code == 401
    with served.by("ali") as ali:
        for name in ("../x", "0" * 31, "0" * 32, "x" * 300, "%2e%2e"):
            assert ali.head(f"/v1/uploads/{name}").status_code == 404
        assert ali.delete(f"/v1/uploads/{upload}").status_code == 204
        assert ali.head(f"/v1/uploads/{upload}").status_code == 404


def test_a_part_that_is_signed_counts_whole_or_not_at_all(served: Served) -> None:
    upload = begin(served.by("ali"))
    headers = {"upload-offset": "0", "upload-complete": "?0", "content-type": PARTIAL}
    request = served.nobody.build_request("PATCH", f"/v1/uploads/{upload}", content=b"mine", headers=headers)
    signed = next(Signing(key_of("ali"), served.seconds).auth_flow(request))
    forged = served.nobody.build_request(
        "PATCH", f"/v1/uploads/{upload}", content=b"ours", headers=signed.headers
    )
    answer = served.nobody.send(forged)
    assert (answer.status_code, answer.json()["code"]) == (400, "content-digest-wrong")
    assert served.by("ali").head(f"/v1/uploads/{upload}").headers["upload-offset"] == "0"


def test_what_arrived_before_the_line_was_cut_stays(served: Served) -> None:
    """With a token: three MB are announced, more than one comes, and the connection is gone."""
    data = os.urandom(3 << 20)
    with Client(served.url, Token("ali", key_of("ali"), clock=served.seconds), clock=served.seconds) as ali:
        upload = ali.begin_upload()
        bearer = served.token("ali")
        host, port = served.url.removeprefix("http://").split(":")

        def offset() -> int:
            return ali.run(calls.offset_of(upload.id))

        with socket.create_connection((host, int(port))) as line:
            head = (
                f"PATCH /v1/uploads/{upload.id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\n"
                f"upload-offset: 0\r\ncontent-type: {PARTIAL}\r\ncontent-length: {len(data)}\r\n\r\n"
            )
            line.sendall(head.encode() + data[: 3 << 19])
            until(lambda: offset() > 0)
        until(lambda: '"code":"request-cut-off"' in served.log.getvalue())
        assert 1 << 20 <= offset() <= 3 << 19
        sent = ali.upload(io.BytesIO(data), upload)
        assert sent.digest == sha256(data).hexdigest()


def test_who_sends_nothing_for_long_is_not_waited_for(tmp_path: Path) -> None:
    with serving(Market(), tmp_path, "[limits]\nidle_seconds = 0.2\n") as served:
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as line:
            line.sendall(b"POST /v1/documents HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
            line.settimeout(10)
            assert line.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_unfinished_uploads_and_bytes_are_limited(tmp_path: Path) -> None:
    with (
        serving(Market(), tmp_path, "[limits]\nuploads = 2\nattachment_bytes = 10\n") as served,
        served.by("ali") as ali,
    ):
        first, _ = begin(ali), begin(ali)
        refused = ali.post("/v1/uploads")
        assert (refused.status_code, refused.json()["code"]) == (429, "uploads-too-many")
        assert begin(served.by("sara"))
        large = part(ali, first, 0, b"x" * 11)
        assert (large.status_code, large.json()["code"]) == (413, "blob-too-large")
        assert ali.head(f"/v1/uploads/{first}").headers["upload-offset"] == "0"
        assert part(ali, first, 0, b"x" * 10, last=True).json()["digest"]
        assert begin(ali)


def test_the_bytes_of_unfinished_uploads_are_limited_together(tmp_path: Path) -> None:
    limits = "[limits]\nuploads_bytes = 10\nattachment_bytes = 8\n"
    with serving(Market(), tmp_path, limits) as served, served.by("ali") as ali, served.by("sara") as sara:
        first, second = begin(ali), begin(ali)
        assert part(ali, first, 0, b"x" * 6).status_code == 200
        refused = part(ali, second, 0, b"y" * 5)
        assert (refused.status_code, refused.json()["code"]) == (413, "uploads-too-large")
        assert ali.head(f"/v1/uploads/{second}").headers["upload-offset"] == "0"
        assert part(ali, second, 0, b"y" * 4).status_code == 200
        assert part(ali, first, 6, b"x").json()["code"] == "uploads-too-large"
        assert part(sara, begin(sara), 0, b"z" * 8).status_code == 200  # others' count apart
        assert ali.delete(f"/v1/uploads/{second}").status_code == 204
        assert part(ali, first, 6, b"xx", last=True).json()["digest"]
        assert part(ali, begin(ali), 0, b"w" * 8).status_code == 200  # what is whole no longer counts


def test_what_nobody_goes_on_with_is_removed_after_the_configured_time(tmp_path: Path) -> None:
    def age(upload: str, by: int) -> None:
        (path,) = tmp_path.glob(f"{UNFINISHED}*-{upload}")
        os.utime(path, (time.time() - by,) * 2)

    with (
        serving(Market(), tmp_path, "[limits]\nuploads_seconds = 1000\nattachment_bytes = 50\n") as served,
        served.by("ali") as ali,
    ):
        old, young, whole = begin(ali), begin(ali), begin(ali)
        part(ali, old, 0, b"x")
        part(ali, young, 0, b"x")
        digest = part(ali, whole, 0, b"whole", last=True).json()["digest"]
        age(old, 1001)
        age(young, 900)
        size, left = ali.head(f"/v1/uploads/{young}").headers["upload-limit"].split(", ")
        assert size == "max-size=50"
        assert 0 < int(left.removeprefix("max-age=")) <= 100
        begun = ali.post("/v1/uploads").headers["upload-limit"]
        assert begun == "max-size=50, max-age=1000"  # and beginning one removed the old one
        assert ali.head(f"/v1/uploads/{old}").status_code == 404
        assert part(ali, young, 1, b"y").json()["offset"] == 2
        assert served.server.service.blobs.size_of(bytes.fromhex(digest)) == 5


def test_they_are_removed_without_anybody_asking(tmp_path: Path) -> None:
    """By a service that starts, and from then on in turns."""
    uploads = Uploads(Blobs(tmp_path), 5, 1 << 20)

    def abandoned() -> None:
        uploads.start("ali")
        for path in tmp_path.glob(f"{UNFINISHED}*"):
            os.utime(path, (time.time() - 1001,) * 2)

    abandoned()
    with serving(Market(), tmp_path, "[limits]\nuploads_seconds = 1000\n") as served:
        until(lambda: not list(tmp_path.glob(f"{UNFINISHED}*")))
        until(lambda: "gardesh_uploads_removed_total 1.0" in served.nobody.get("/metrics").text)

        async def turns() -> None:
            async with upkeep(served.server.service, look=0.01):
                for _ in range(2):
                    abandoned()
                    while list(tmp_path.glob(f"{UNFINISHED}*")):
                        await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(turns(), 60))


def test_what_is_written_to_in_this_moment_is_not_removed(tmp_path: Path) -> None:
    uploads = Uploads(Blobs(tmp_path), 3, 1 << 20, 1000)
    name = uploads.start("ali")
    path = uploads._path("ali", name)
    with uploads.writing("ali", name, 0) as growing:
        os.utime(path, (time.time() - 2000,) * 2)
        assert uploads.clean() == 0
        growing.write(b"x")
    assert uploads.clean() == 0
    os.utime(path, (time.time() - 2000,) * 2)
    assert uploads.clean() == 1
    with pytest.raises(Problem) as caught, uploads.writing("ali", name, 1):
        pass
    assert caught.value.code == "no-such-upload"


def attached(served: Served, data: bytes) -> tuple[str, str]:
    """A document of ali's that names an attachment, and its digest."""
    served.do(lambda market: market.area())
    with Client(served.url, Token("ali", key_of("ali"), clock=served.seconds), clock=served.seconds) as ali:
        sent = ali.upload(io.BytesIO(data))
        assert sent.digest is not None
        named = [wire.Attachment(sent.digest, len(data), "text/html", "plan <1>.html")]
        wanted = wire.DraftWanted(step="application", procedure="market/licence", attachments=named)
        return ali.issue(wanted, application(), "ali", key_of("ali")).digest, sent.digest


def test_an_attachment_is_read_whole_or_in_part_by_who_may(served: Served) -> None:
    data = os.urandom(100_000)
    document, digest = attached(served, data)
    path = f"/v1/documents/{document}/attachments/{digest}"
    with served.by("ali") as ali:

        def get(**headers: str) -> httpx.Response:
            return ali.get(path, params={"purpose": "look"}, headers=headers)

        whole = get()
        assert (whole.status_code, whole.content) == (200, data)
        assert whole.headers["content-disposition"] == "attachment; filename*=UTF-8''plan%20%3C1%3E.html"
        assert whole.headers["content-security-policy"].startswith("default-src 'none'")
        piece = get(range="bytes=10-19")
        assert (piece.status_code, piece.content) == (206, data[10:20])
        assert piece.headers["content-range"] == "bytes 10-19/100000"
        assert get(range="bytes=-5").content == data[-5:]
        assert get(range="bytes=99990-").content == data[99990:]
        assert get(range="bytes=99990-200000").content == data[99990:]
        assert get(range="bytes=0-1,5-6").status_code == 200
        beyond = get(range="bytes=100000-")
        assert (beyond.status_code, beyond.json()["code"]) == (416, "range-not-satisfiable")
        assert get(**{"if-none-match": f'"{digest}"'}).status_code == 304
        assert get(range="bytes=0-1", **{"if-range": '"other"'}).status_code == 200
        assert ali.get(path).status_code == 400
    assert served.by("sara").get(path, params={"purpose": "x"}).status_code == 404
    assert served.by("traffic").get(path, params={"purpose": "x"}).status_code in (403, 404)
    other = f"/v1/documents/{document}/attachments/{'0' * 64}"
    assert served.by("ali").get(other, params={"purpose": "x"}).status_code == 403


def test_a_damaged_attachment_is_never_given_as_whole(served: Served) -> None:
    document, digest = attached(served, b"x" * 3_000_000)
    place = next(
        p for p in served.server.service.blobs.folder.rglob("*") if p.is_file() and p.stat().st_size > 1000
    )
    raw = bytearray(place.read_bytes())
    raw[2_500_000] ^= 1
    place.write_bytes(raw)
    with served.by("ali") as ali, pytest.raises(httpx.RemoteProtocolError):
        ali.get(f"/v1/documents/{document}/attachments/{digest}", params={"purpose": "x"})


@given(
    st.text(max_size=40) | st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True), st.integers(0, 2000)
)
def test_a_range_is_within_the_attachment(field: str, size: int) -> None:
    try:
        found = asked_range(field, size)
    except Problem as problem:
        assert problem.code == "range-not-satisfiable"
        return
    if found is not None:
        first, count = found
        assert 0 <= first < size
        assert 0 < count <= size - first


def test_nobody_gets_at_an_attachment_by_naming_it(served: Served) -> None:
    """Its digest and its size are in the clear part of a document that many may read."""
    document, digest = attached(served, b"a medical file")
    named = wire.Attachment(digest, 14, "text/plain")
    case = served.by("ali").get("/v1/cases").json()["cases"][0]["case"]
    with Client(
        served.url, Token("neighbour", key_of("neighbour"), clock=served.seconds), clock=served.seconds
    ) as neighbour:
        wanted = wire.DraftWanted(step="objection", case=case, key="o1", attachments=[named])
        with pytest.raises(Refused) as caught:
            neighbour.issue(wanted, {"reason": "noise"}, "neighbour", key_of("neighbour"))
        assert caught.value.code == "attachment-missing"
        sent = neighbour.upload(io.BytesIO(b"a medical file"))  # who has the bytes may name them
        assert sent.digest == digest
        neighbour.issue(wanted, {"reason": "noise"}, "neighbour", key_of("neighbour"))
    assert document


def test_what_is_whole_cannot_be_written_to_any_more(tmp_path: Path) -> None:
    """Neither while it is given its name, nor by who had it open before."""
    blobs = Blobs(tmp_path / "blobs")
    uploads = Uploads(blobs, 3, 1 << 20)
    digest, _ = blobs.put(io.BytesIO(b"whole"), "sara")
    name = uploads.start("ali")
    path = uploads._path("ali", name)
    with uploads.writing("ali", name, 0) as growing:
        growing.write(b"whole")
        with path.open("r+b") as early:
            with pytest.raises(Problem) as busy, uploads.writing("ali", name, 5):
                pass
            assert busy.value.code == "upload-busy"
            assert growing.finish() == (digest, 5)
            assert not uploads._is(early, "ali", name)
    with pytest.raises(Problem) as caught, uploads.writing("ali", name, 5):
        pass
    assert caught.value.code == "no-such-upload"
    assert b"".join(blobs.read(digest)) == b"whole"
    assert blobs.held_by(digest, "ali")
    assert blobs.held_by(digest, "sara")
    assert not blobs.held_by(digest, "city")
    assert uploads.done("ali", name) == (digest, 5)


def test_a_note_of_what_an_upload_became_that_is_not_whole_says_nothing(tmp_path: Path) -> None:
    """As a crash may leave it: then the upload is unknown, and is made again."""
    uploads = Uploads(Blobs(tmp_path / "blobs"), 3, 1 << 20)
    name = uploads.start("ali")
    with uploads.writing("ali", name, 0) as growing:
        growing.write(b"w" * 150)
        found = growing.finish()
    place = uploads._done("ali", name)
    whole = place.read_bytes()
    for size in range(len(whole)):
        place.write_bytes(whole[:size])
        assert uploads.done("ali", name) is None
    place.write_bytes(whole)
    assert uploads.done("ali", name) == found


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """In a process of its own that may write no file of more than 64 kB."""
    script = """
import io, resource, signal, sys
from pathlib import Path
from gardesh.model.problem import Problem
from gardesh.record.blobs import Blobs
from gardesh.record.uploads import Uploads
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
blobs = Blobs(Path(sys.argv[1]))
for attempt in (lambda: blobs.put(io.BytesIO(bytes(100_000))), lambda: grow()):
    def grow():
        uploads = Uploads(blobs, 2, 1 << 20)
        name = uploads.start("ali")
        with uploads.writing("ali", name, 0) as growing:
            growing.write(bytes(100_000))
    try:
        attempt()
    except Problem as problem:
        print(problem.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["storage-full", "storage-full"]


def test_two_do_not_write_to_one_upload(tmp_path: Path) -> None:
    uploads = Uploads(Blobs(tmp_path / "blobs"), 3, 1 << 20)
    name = uploads.start("ali")
    with uploads.writing("ali", name, 0) as first:
        first.write(b"x")
        with pytest.raises(Problem) as caught, uploads.writing("ali", name, 0):
            pass
        assert caught.value.code == "upload-busy"
    assert uploads.offset("ali", name) == 1


def test_a_digest_of_a_stream_is_compared() -> None:
    raw = sha256(b"x").digest()
    http_signature.check_sha256(http_signature.content_digest(b"x"), raw)
    for wrong in ("", http_signature.content_digest(b"y"), "sha-512=:AA==:"):
        with pytest.raises(Problem):
            http_signature.check_sha256(wrong, raw)
