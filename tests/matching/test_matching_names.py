from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.matching.listing import cut_suffix
from arttl.matching.names import canonical, is_address, name_in_address, without_marks
from arttl.matching.nearest import NearestNames


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://m.example/iiif/2/ID/full/full/0/default.jpg", "ID"),
        ("https://m.example/iiif/3/a%2Fb%2FID.tif/full/max/0/default.jpg", "ID.tif"),
        ("https://m.example/iiif/ID/0,0,1024,1024/!512,512/!90/color.png", "ID"),
        ("https://m.example/iiif/ID/pct:1,2,3,4/%5Emax/0/native", "ID"),
        ("https://m.example/iiif/ID/square/%21512%2C512/0/gray.jpg", "ID"),
        ("https://m.example/iiif/1907.1/full/pct:50/0/default.jpg", "1907.1"),
        ("https://m.example/iiif/ID/info.json", "ID"),
        ("https://m.example/iiif/image/full/full/0/default.jpg", None),
        ("https://m.example/photos/SK-A-1.jpg", "SK-A-1.jpg"),
        ("https://m.example/photos/SK-A-1.jpg?size=full#top", "SK-A-1.jpg"),
        ("https://m.example/photos/my%20cup.jpg", "my cup.jpg"),
        ("https://m.example/objects/17/image.jpg", "17"),
        ("https://m.example/objects/17/full/native.jpg", "17"),
        ("https://m.example/17.jpeg/download", "17.jpeg"),
        ("https://m.example/objects/1907.1", "1907.1"),
        ("https://m.example/objects/1907.1/", "1907.1"),
        ("https://m.example/image.php?id=123", "123"),
        ("https://m.example/default.jpg?size=2&id=123", "123"),
        ("https://m.example/show?size=2&objectId=123&page=3", "123"),
        ("https://m.example/proxy.ashx?port=1&filename=images%2F2008%2FME84.jpg", "ME84.jpg"),
        ("https://m.example/proxy?u=http%3A%2F%2Fn.example%2Fx.jpg", "x.jpg"),
        ("https://m.example/asset/12345?size=large", "12345"),
        ("https://m.example/CollectionImage.aspx?irn=99&size=Medium", "99"),
        ("https://m.example/CollectionImage.aspx?size=Medium", None),
        (
            "https://m.example/iiif/public/objects/1/7/17-primary-0.ptif/full/full/0/default.jpg",
            "17-primary-0.ptif",
        ),
        ("https://m.example/default.jpg", None),
        ("https://m.example/images/", None),
        ("https://m.example", None),
        ("https://m.example/..", None),
        ("https://[half", None),
        ("file:///C:/photos/1.jpg", "1.jpg"),
    ],
)
def test_names_in_addresses(address: str, name: str | None) -> None:
    assert is_address(address)
    assert name_in_address(address) == name


@given(st.text())
def test_any_address_has_a_name_or_none(rest: str) -> None:
    name = name_in_address(f"https://{rest}")
    assert name is None or ("/" not in name and name.strip(". ") and name not in (".", ".."))


def test_not_addresses() -> None:
    assert not any(map(is_address, ("a.jpg", "C:\\a.jpg", "a/b.jpg", "//host/a.jpg", "")))


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.jpg", "a", ".jpg"),
        ("a.b.JPEG", "a.b", ".jpeg"),
        ("1907.1", "1907.1", ""),
        ("a.heic", "a", ".heic"),
        (".jpg", ".jpg", ""),
        ("jpg", "jpg", ""),
        ("a.NEF", "a", ".nef"),
    ],
)
def test_only_suffixes_of_pictures_are_cut(name: str, stem: str, suffix: str) -> None:
    assert cut_suffix(name) == (stem, suffix)


@pytest.mark.parametrize(
    ("text", "other", "equal"),
    [
        ("A.1/2", "a_1-2", True),
        ("(A 1)", "A1", False),
        ("(A1)", "a1", True),
        ("Übung", "u\u0308bung", True),
        ("u\u0308bung", "ubung", False),
        ("क\u093f", "क\u0940", False),
        ("雪.1", "雪-1", True),
        ("STRASSE", "straße", True),
        ("–1–", "1", True),
    ],
)
def test_names_without_marks(text: str, other: str, equal: bool) -> None:
    assert (without_marks(text) == without_marks(other)) is equal


@given(st.text())
def test_forms_are_stable(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)
    assert without_marks(without_marks(text)) == without_marks(text)
    assert without_marks(canonical(text)) == without_marks(text)


def test_the_most_similar_name() -> None:
    names = NearestNames([f"sk_a_{index}" for index in range(1000)] + ["0001_rp_p_1906"])
    assert names.of("sk_a_77b") == "sk_a_77"
    assert names.of("rp_p_1906") == "0001_rp_p_1906"
    assert names.of("nothing like it") is None
    assert names.of("") is None
    assert names.of("sk_a_1" * 100) is None
    assert [names.of("sk_a_1x") for _ in range(600)][-1] is None
