from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.xml_documents import split_documents
from arttl.records.xml_records import read_records, words

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def _split(data: bytes, size: int = 64 * 1024) -> list[bytes]:
    chunks = iter([data[i : i + size] for i in range(0, len(data), size)])
    return [b"".join(document) for document in split_documents(chunks)]


@given(
    texts=st.lists(st.text(alphabet="abé <>&\n", max_size=40), min_size=1, max_size=6),
    gaps=st.lists(st.sampled_from([b"", b"\n", b" \r\n\n", b"\xef\xbb\xbf", b"\n\xef\xbb\xbf"]), min_size=6),
    size=st.integers(1, 200),
    padding=st.integers(0, 2000),
)
def test_documents_put_together_come_apart(
    texts: list[str], gaps: list[bytes], size: int, padding: int
) -> None:
    documents = [_DECLARATION + f"<a><b>{'y' * padding}<![CDATA[{text}]]></b></a>".encode() for text in texts]
    data = b"".join(document + gap for document, gap in zip(documents, gaps, strict=False))
    assert [part.strip(b"\xef\xbb\xbf \r\n") for part in _split(data, size)] == documents


def test_what_is_one_document() -> None:
    for data in (
        b"",
        b"no XML",
        b"<a><a/></a><!-- <?xml -->",
        b"<a><![CDATA[</b><?xml version='1.0'?>]]></a>",
        b"<a><b></b><b></b></a>",
        "<a></a><?xml version='1.0'?><a></a>".encode("utf-16"),
        b"<!-- <x> --><a></a>  ",
    ):
        assert _split(data) == [data]


def test_pages_without_declarations() -> None:
    record = b"<record><header/>x</record>"
    assert _split(record * 3) == [record] * 3
    page = b"<o:OAI-PMH xmlns:o='http://a.example'><o:r>x</o:r></o:OAI-PMH>\n"
    assert _split(page * 3) == [page] * 3


def test_records_of_all_documents_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pages.xml"
    path.write_bytes(b"".join(_DECLARATION + b"<all>\n<r>%d</r></all>\n" % page for page in range(3)))
    assert [words(record) for record in read_records(path, ["r"])] == ["0", "1", "2"]
    path.write_bytes(b"\n \r\n" + path.read_bytes())
    assert len(list(read_records(path, ["r"]))) == 3
    path.write_bytes(path.read_bytes() + _DECLARATION + b"<all>\n<r></all>")
    with pytest.raises(ArttlError, match=r"line 3 of XML document 4 of .*pages\.xml is not well-formed"):
        list(read_records(path, ["r"]))
