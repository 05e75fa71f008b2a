"""Attachments over HTTP that are kept in a bucket of a real object store."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from served import Served, serving
from test_uploads import begin, part

from gardesh.model.claims import attachment
from gardesh.record.object_blobs import ObjectBlobs
from gardesh.record.object_store import opened
from market import Market, application
from object_stores import BUCKET, KEY, SECRET, object_store

pytestmark = pytest.mark.sqlite


def test_an_attachment_goes_through_the_bucket_and_its_store_may_fail(tmp_path: Path) -> None:
    data = os.urandom((9 << 20) + 3)
    with object_store(tmp_path / "weed") as store:
        market, place = Market(), f"s3://{BUCKET}/attachments"
        market.area()

        def kept(folder: str) -> ObjectBlobs:
            return ObjectBlobs(tmp_path / folder, 64 << 20, opened(place, lasting=False))

        with serving(market, kept("one"), "[limits]\nrate = 0\n") as served:
            digest = uploaded(served, data)
            named = [attachment(bytes.fromhex(digest), "text/plain", len(data))]
            served.do(lambda m: m.do("ali", "application", application(), attachments=named))
            size = served.do(lambda m: m.node.log.size)
            where = f"/v1/documents/{size - 1}/attachments/{digest}?purpose=look"
            with served.by("ali") as ali:
                assert ali.get(where).content == data
                some = ali.get(where, headers={"range": "bytes=8388600-8388615"})
                assert (some.status_code, some.content) == (206, data[8388600:8388616])
            assert not [p for p in (tmp_path / "one").rglob("*") if p.is_file() and "done-" not in p.name]
            store.stop()
            with served.by("ali") as ali:
                upload = begin(ali)
                refused = part(ali, upload, 0, b"while it is away", last=True)
                assert (refused.status_code, refused.json()["code"]) == (503, "object-store-unusable")
                assert "params" not in refused.json()
                assert ali.head(f"/v1/uploads/{upload}").headers["upload-offset"] == "16"
                assert served.nobody.get("/readyz").status_code == 200
            for told in (refused.text, served.log.getvalue()):
                assert not [w for w in (SECRET, KEY, BUCKET, str(store.port)) if w in told]


def uploaded(served: Served, data: bytes) -> str:
    with served.by("ali") as ali:
        upload = begin(ali)
        assert part(ali, upload, 0, data[:1000]).status_code == 200
        whole = part(ali, upload, 1000, data[1000:], last=True).json()["digest"]
    assert whole == sha256(data).hexdigest()
    return str(whole)
