from __future__ import annotations

import unicodedata
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.matching.listing import Entry
from arttl.sources.pictures import LooselyNamed, NoPicture, PictureFolder
from arttl.sources.remarks import PassedOver, Remarks
from arttl.sources.settings import SourceSettings


def _folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return path


def _outcome(picture: Path | NoPicture, folder: Path) -> tuple[str, int]:
    """The picture relative to the folder and its rank; or the reason why there is none."""
    if isinstance(picture, NoPicture):
        return picture.reason, -1
    rank = picture.rank if isinstance(picture, LooselyNamed) else 0
    return picture.relative_to(folder).as_posix(), rank


@pytest.mark.parametrize(
    ("number", "expected", "rank"),
    [
        ("1907", "1907.jpg", 0),
        ("1907.1", "missing", -1),  # never cut to 1907
        ("1907.2", "sub/1907.2.tif", 0),
        ("1_23", "1_23.jpg", 0),
        ("1.23", "1_23.jpg", 3),
        ("A.1/2", "A_1_2.JPG", 3),
        ("a 1 (2", "A_1_2.JPG", 3),
        ("a_1_2", "A_1_2.JPG", 2),
        ("B.7", "sub/b-7.tif", 3),
        ("übung 3", "Übung 3.png", 2),
        ("Übung 3", "Übung 3.png", 0),
        ("übung-3", "Übung 3.png", 3),
        ("notes", "missing", -1),
        ("b-7.tif", "sub/b-7.tif", 0),  # some number their objects after the files
        ("../../etc/passwd", "missing", -1),
        ("--", "missing", -1),
        ("K/9", "K/9.jpg", 0),
        ("k/9", "K/9.jpg", 2),
        ("L/9", "missing", -1),
        ("M/8", "M%2F8.jpg", 2),
        ("twice", "ambiguous-picture", -1),
        ("kinds", "ambiguous-picture", -1),
        ("raw", "raw.jpg", 0),
        ("only-raw", "only-raw.NEF", 0),
        ("heic", "heic.heic", 0),
        ("क\u093f1", "missing", -1),  # another vowel is another name, not another mark
        ("", "missing", -1),
    ],
)
def test_of_an_object(number: str, expected: str, rank: int, tmp_path: Path) -> None:
    folder = _folder(
        tmp_path,
        *("1907.jpg", "sub/1907.2.tif", "1_23.jpg", "A_1_2.JPG", "sub/b-7.tif", "Übung 3.png", "notes.txt"),
        *("K/9.jpg", "M%2F8.jpg", "a/twice.jpg", "b/twice.jpg", "kinds.jpg", "kinds.tif"),
        *("raw.jpg", "raw.cr2", "only-raw.NEF", "heic.heic", "क\u0940" + "1.jpg"),
    )
    assert _outcome(PictureFolder(folder).of_object(number), folder) == (expected, rank)


@pytest.mark.parametrize(
    ("name", "expected", "rank"),
    [
        ("sub/b-7.tif", "sub/b-7.tif", 0),
        ("./sub/../sub/b-7.tif", "sub/b-7.tif", 0),
        ("sub\\b-7.tif", "sub/b-7.tif", 0),
        ("b-7.tif", "sub/b-7.tif", 0),
        ("b-7", "sub/b-7.tif", 0),
        ("Sub/B-7.TIF", "sub/b-7.tif", 2),
        ("sub/b-7", "sub/b-7.tif", 0),
        ("b-7.jpg", "sub/b-7.tif", 1),
        ("elsewhere/b-7.tif", "sub/b-7.tif", 1),
        ("b 7.tif", "sub/b-7.tif", 3),
        ("my%20cup.jpg", "my cup.jpg", 2),
        ("photos%2Fmy%20cup.jpg", "my cup.jpg", 2),
        ("my cup", "my cup.jpg", 0),
        ("half%20", "half%20.jpg", 0),
        ("U\u0308bung.png", "Übung.png", 2),
        ("1907.1", "missing", -1),
        ("1907", "1907.jpg", 0),
        ("1907.1.jpg", "missing", -1),
        ("x.jpg", "x.jpg.tif", 0),  # the whole name is a stem
        ("drawings/17.jpg", "ambiguous-picture", -1),
        ("old/A/17.jpg", "A/17.jpg", 1),
        ("a/17.jpg", "A/17.jpg", 2),
        ("17.jpg", "ambiguous-picture", -1),
        ("a.folder", "unreadable", -1),
        ("B", "B.jpg", 0),  # and not the folder of this name
        ("../secret.jpg", "outside-folder", -1),
        ("/etc/passwd", "outside-folder", -1),
        ("C:\\photos\\1907.jpg", "outside-folder", -1),
        ("%2e%2e%2fsecret.jpg", "missing", -1),
        ("nul\0.jpg", "missing", -1),
        ("b-7.tif/inside.jpg", "missing", -1),
        ("https://museum.example/iiif/B%2D7.jpg?size=full", "sub/b-7.tif", 2),
        ("https://museum.example/photos/b-7.tif", "sub/b-7.tif", 1),
        ("https://museum.example/lost.jpg", "missing", -1),
        ("https://museum.example/iiif/2/sub%2Fb-7.tif/full/full/0/default.jpg", "sub/b-7.tif", 1),
        ("https://museum.example/iiif/3/1907/full/max/0/default.jpg", "1907.jpg", 1),
        ("https://museum.example/default.jpg", "missing", -1),
        ("https://museum.example/image.php?id=1907", "1907.jpg", 1),
        ("https://museum.example/%2e%2e%2fsecret", "missing", -1),
    ],
)
def test_named(name: str, expected: str, rank: int, tmp_path: Path) -> None:
    folder = _folder(
        tmp_path / "images",
        *("sub/b-7.tif", "my cup.jpg", "half%20.jpg", "Übung.png", "1907.jpg", "x.jpg.tif", "x.tif"),
        *("A/17.jpg", "B/17.jpg", "B.jpg", "a.folder/y.jpg", "default.jpg", "image.jpg", "secret/1.jpg"),
    )
    _folder(tmp_path, "secret.jpg")
    assert _outcome(PictureFolder(folder).named(name), folder) == (expected, rank)


def test_details_name_what_could_be_meant(tmp_path: Path) -> None:
    pictures = PictureFolder(_folder(tmp_path, "a/1907.jpg", "b/1907.tif", "SK-A-1.jpg", "0017_BK-3.jpg"))
    details = {
        name: picture.detail
        for name in (
            "1907.1",
            "1907",
            "BK-3",
            "quite another",
            "SK-A-1.jpg|SK-A-2.jpg",
            "https://x.example/full/default.jpg",
        )
        if isinstance(picture := pictures.named(name), NoPicture)
    }
    assert details == {
        "1907.1": "no file in the folder is named '1907.1'; the most similar is 'a/1907.jpg'",
        "1907": "2 files could be meant: 'a/1907.jpg' and 'b/1907.tif'",
        "BK-3": "no file in the folder is named 'BK-3'; the most similar is '0017_BK-3.jpg'",
        "quite another": "no file in the folder is named 'quite another'",
        "SK-A-1.jpg|SK-A-2.jpg": "no file in the folder is named 'SK-A-1.jpg|SK-A-2.jpg'; it must be the name"
        " of one picture, not several",
        "https://x.example/full/default.jpg": "the address names no picture of its own, only 'default.jpg'",
    }
    nothing = PictureFolder(_folder(tmp_path / "empty", "notes.txt")).of_object("1")
    assert isinstance(nothing, NoPicture)
    assert nothing.detail == "no file in the folder is named after '1'; it holds no pictures"
    reject = nothing.reject("1")
    assert (reject.object_number, reject.file, reject.reason) == ("1", "1.jpg", "missing")


def test_names_like_very_many_others(tmp_path: Path) -> None:
    folder = _folder(tmp_path, *(f"{index}/image.jpg" for index in range(1001)))
    pictures = PictureFolder(folder)
    assert _outcome(pictures.named("17/Image.JPG"), folder) == ("17/image.jpg", 2)
    assert _outcome(pictures.of_object("17/image"), folder) == ("17/image.jpg", 0)
    picture = pictures.named("image")
    assert isinstance(picture, NoPicture)
    assert picture.detail == "1,001 files have names like it, such as '0/image.jpg'"


def test_without_a_folder_each_name_is_a_path_of_its_own() -> None:
    pictures = PictureFolder(None)
    numbers = ("1.23", "1-23", "1_23", "../../x")
    assert len({pictures.of_object(number) for number in numbers}) == len(numbers)
    assert pictures.named("a/b.jpg") == Path("a/b.jpg")
    assert pictures.named("https://x.example/a%2Fb.jpg") == Path("b.jpg")
    assert isinstance(pictures.named("../b.jpg"), NoPicture)
    assert list(pictures.remarks()) == []


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path / "images",
        *(
            "1.jpg",
            "2.jpg",
            "3.jpg",
            "3.dng",
            "x/4.jpg",
            "._1.jpg",
            ".hidden/5.jpg",
            "notes.txt",
            "Thumbs.db",
        ),
    )
    (folder / "link").symlink_to(_folder(tmp_path / "elsewhere", "6.jpg"))
    (folder / "7.jpg").symlink_to(tmp_path / "elsewhere" / "6.jpg")
    (folder / "8.jpg").symlink_to("nowhere")
    pictures = PictureFolder(folder)
    assert _outcome(pictures.of_object("7"), folder) == ("7.jpg", 0)
    assert _outcome(pictures.of_object("6"), folder)[0] == "missing"
    pictures.named("1.jpg")
    pictures.of_object("3")
    remarks = Remarks()
    for remark in pictures.remarks():
        remarks.add(remark)
    assert remarks.counts == {
        "hidden files and folders": 2,
        "files without the suffix of a picture": 1,
        "symbolic links to folders": 1,
        "broken symbolic links and special files": 1,
        "files of cameras and editors beside a picture of their name": 1,
        "pictures that no record names": 2,
    }
    assert remarks.examples["pictures that no record names"] == ["2.jpg", "x/4.jpg"]


def test_a_file_that_a_record_names_is_not_passed_over(tmp_path: Path) -> None:
    pictures = PictureFolder(_folder(tmp_path, "scan1", "scan2", ".scan3.jpg", "4.jpg"))
    assert isinstance(pictures.of_object("4"), Path)
    assert isinstance(pictures.named("scan1"), Path)
    assert isinstance(pictures.named(".scan3.jpg"), Path)
    assert [remark.name for remark in pictures.remarks() if isinstance(remark, PassedOver)] == ["scan2"]


def test_a_large_folder_is_not_listed_for_the_count_alone(tmp_path: Path) -> None:
    folder = _folder(tmp_path, *(f"{index}.jpg" for index in range(30)))
    pictures = PictureFolder(folder)
    pictures.named("1.jpg")
    (sentence,) = _sentences(pictures)
    assert sentence == "passed over: 29 pictures that no record names (0.jpg, 10.jpg, 11.jpg, ...)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arttl.sources.pictures._LEAST_LISTED", 15)
        pictures = PictureFolder(folder)
        pictures.named("1.jpg")
        (sentence,) = _sentences(pictures)
        assert sentence.endswith("holds more than 15 pictures; those that no record names are not counted")


def _sentences(pictures: PictureFolder) -> list[str]:
    remarks = Remarks()
    for remark in pictures.remarks():
        remarks.add(remark)
    return remarks.sentences()


def test_of_settings(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="--source lido needs --images"):
        PictureFolder.of(SourceSettings(), "lido")
    with pytest.raises(ArttlError, match="none is not a folder"):
        PictureFolder.of(SourceSettings(images=tmp_path / "none"), "lido")
    assert PictureFolder.of(SourceSettings(dry_run=True), "lido").of_object("1") == Path("1.jpg")


_PIECES = st.sampled_from(
    ["1", "23", "a", "B", "é", "Å", "雪", "क\u093f", ".", "-", "_", " ", "%20", "%", "(", ".jpg"]
)
_STEMS = (
    st.lists(_PIECES, min_size=1, max_size=4)
    .map("".join)
    .filter(lambda text: text.strip()[:1] not in ("", "."))
)


@settings(max_examples=60, deadline=None)
@given(stems=st.lists(_STEMS, min_size=1, max_size=4, unique=True), number=_STEMS)
def test_other_spellings_of_a_name_mean_the_same_picture(
    stems: list[str], number: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = [f"{unicodedata.normalize('NFC', stem.strip())}.png" for stem in stems]
    folder = _folder(tmp_path_factory.mktemp("images"), *names)
    for name in names:
        assert _outcome(PictureFolder(folder).named(name), folder) == (name, 0)
        for spelling in (quote(name), unicodedata.normalize("NFD", name)):
            # The same picture, or none where another file is it just as much.
            assert _outcome(PictureFolder(folder).named(spelling), folder)[0] in (name, "ambiguous-picture")
    results = {
        _outcome(PictureFolder(folder).of_object(form), folder)[0]
        for form in (unicodedata.normalize("NFC", number), unicodedata.normalize("NFD", number))
    }
    assert len(results - {"ambiguous-picture"}) <= 1


@settings(max_examples=40, deadline=None)
@given(
    stems=st.lists(_STEMS, min_size=1, max_size=6, unique=True),
    number=_STEMS,
    randoms=st.randoms(use_true_random=False),
)
def test_the_order_of_the_listing_does_not_matter(
    stems: list[str], number: str, randoms: Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("images")
    entries = [Entry(f"{'in/' * (index % 2)}{stem}.png") for index, stem in enumerate(stems)]
    outcomes = set()
    for _ in range(3):
        randoms.shuffle(entries)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("arttl.sources.pictures.list_pictures", lambda _: iter(entries))
            pictures = PictureFolder(folder)
            outcomes.add(
                (_outcome(pictures.of_object(number), folder), _outcome(pictures.named(number), folder))
            )
    assert len(outcomes) == 1


@settings(max_examples=60, deadline=None)
@given(
    name=st.one_of(
        st.lists(
            st.sampled_from(
                ["..", "/", "\\", "%2e%2e", "%2f", "a", ".jpg", "\0", "C:", "https://x.example", "?id=", " "]
            ),
            max_size=8,
        ).map("".join),
        st.text(max_size=30),
    )
)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    folder = _folder(outside / "images", "a.jpg", "b/a.jpg", "b/..a.jpg")
    _folder(outside, "a", "a.jpg", "secret.jpg")
    for pictures in (PictureFolder(folder), PictureFolder(None)):
        root = folder if pictures.named("a.jpg") == folder / "a.jpg" else Path()
        for picture in (pictures.named(name), pictures.of_object(name)):
            if isinstance(picture, Path):
                assert ".." not in picture.parts and picture.is_relative_to(root)
                assert not picture.is_absolute() or picture.resolve().is_relative_to(folder.resolve())
