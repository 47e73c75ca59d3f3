from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.matching.claims import LooselyNamed
from arttl.packing.command import run
from arttl.packing.plan import Plan, make_plan
from arttl.packing.settings import PackSettings
from arttl.sources.registry import open_source

PICTURES = ("1_23.jpg", "A_1.jpg", "cup.jpg", "default.jpg")
# As many as a split needs.
OTHERS = [(f"other {index}", f"other{index}.jpg", "vase") for index in range(6)]


@pytest.fixture
def folder(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> Path:
    (tmp_path / "images").mkdir()
    for index, name in enumerate((*PICTURES, *(file for _, file, _ in OTHERS))):
        soft_picture(40, 30, seed=index).save(tmp_path / "images" / name)
    return tmp_path


def _settings(folder: Path, rows: list[tuple[str, str, str]], **changes: object) -> PackSettings:
    """A table of object number, image and type."""
    with (folder / "objects.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("number", "file", "type"), *rows, *OTHERS])
    values: dict[str, object] = {
        "metadata": folder / "objects.csv",
        "images": folder / "images",
        "object_number": "number",
        "image": "file",
        "tasks": ("type",),
        "out": folder / "shards",
        "workers": 1,
        "dry_run": True,
        **changes,
    }
    return PackSettings(**values)  # type: ignore[arg-type]


def _plan(folder: Path, rows: list[tuple[str, str, str]], **changes: object) -> Plan:
    settings = _settings(folder, rows, **changes)
    return make_plan(open_source(settings), settings)


def _packed(plan: Plan) -> dict[str, str]:
    jobs = [jobs[index] for jobs in plan.jobs.values() for index in range(len(jobs))]
    return {
        job.artwork.object_number: job.file
        for job in jobs
        if not job.artwork.object_number.startswith("other")
    }


def _rejected(plan: Plan) -> dict[str, tuple[str, str]]:
    return {reject.object_number: (reject.reason, reject.detail) for reject in plan.rejects}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_an_exact_name_wins_whatever_the_order(order: tuple[int, ...], folder: Path) -> None:
    numbers = ("1.23", "1-23", "1_23")
    plan = _plan(folder, [(numbers[i], numbers[i], "vase") for i in order])
    assert _packed(plan) == {"1_23": "1_23.jpg"}
    detail = "1_23.jpg is named more exactly by object '1_23'"
    assert _rejected(plan) == dict.fromkeys(("1.23", "1-23"), ("ambiguous-picture", detail))
    assert plan.warnings == ()


def test_an_exact_name_wins_even_without_a_label(folder: Path) -> None:
    plan = _plan(folder, [("1.23", "1.23", "vase"), ("1_23", "1_23", ""), ("B", "cup", "vase")])
    assert _packed(plan) == {"B": "cup.jpg"}
    assert _rejected(plan)["1.23"][0] == "ambiguous-picture"
    assert "an object without labels" in _rejected(plan)["1.23"][1]


def test_of_two_equally_like_names_neither_gets_the_picture(folder: Path) -> None:
    plan = _plan(folder, [("1.23", "1.23", "vase"), ("1-23", "1-23", "bowl"), ("B", "cup.jpg", "vase")])
    assert _packed(plan) == {"B": "cup.jpg"}
    assert {number: reason for number, (reason, _) in _rejected(plan).items()} == dict.fromkeys(
        ("1.23", "1-23"), "ambiguous-picture"
    )
    assert "could as well be the picture of object '1-23'" in _rejected(plan)["1.23"][1]


def test_that_no_artwork_keeps_its_picture_is_an_error(folder: Path) -> None:
    images = [LooselyNamed.of(folder / "images" / "1_23.jpg", 3, name) for name in ("1.23", "1-23")]
    artworks = [
        Artwork(sample_key(image.called), image.called, image, {"type": ("vase",)}) for image in images
    ]
    with pytest.raises(
        ArttlError,
        match=r"no artwork has a picture of its own \(2 in all\), .* ambiguous-picture \(1_23\.jpg",
    ):
        make_plan(artworks, PackSettings(out=folder / "shards", images=folder / "images"))


def test_one_like_name_gets_the_picture(folder: Path) -> None:
    plan = _plan(folder, [("A.1", "A.1", "vase"), ("B", "cup.jpg", "vase")])
    assert _packed(plan) == {"A.1": "A_1.jpg", "B": "cup.jpg"}


def test_one_photograph_of_several_objects_is_warned_of(folder: Path) -> None:
    rows = [(f"C.{index}", "cup.jpg", "vase") for index in range(5)] + [("D", "a_1.jpg", "vase")]
    plan = _plan(folder, rows)
    assert plan.warnings == (
        "warning: 5 objects share the picture cup.jpg (C.0, C.1, C.2, ...); this is nearly always a"
        " matching fault: see --image",
    )
    assert len(_packed(plan)) == 2
    assert {reason for reason, _ in _rejected(plan).values()} == {"duplicate-picture"}
    # By one name that is not exactly the file's they still mean one picture.
    plan = _plan(folder, [(f"C.{index}", "CUP", "vase") for index in range(2)])
    assert len(plan.warnings) == 1
    # Several photographs of one object, or one row twice, are no fault.
    rows = [("E", "cup.jpg", "vase"), ("E", "1_23.jpg", "vase"), ("E", "cup.jpg", "vase")]
    assert _plan(folder, rows).warnings == ()


def test_addresses_that_end_alike_are_not_one_picture(folder: Path) -> None:
    address = "https://museum.example/iiif/{}/full/full/0/default.jpg"
    rows = [(f"F.{index}", address.format(f"F-{index}"), "vase") for index in range(14)]
    rows += [("A_1", address.format("A_1"), "vase")]
    plan = _plan(folder, rows)
    assert _packed(plan) == {"A_1": "A_1.jpg"}
    assert {reason for reason, _ in _rejected(plan).values()} == {"missing"}
    # Other addresses of one name are other pictures, and only one of them can be the file.
    rows = [(host, f"https://{host}.example/cup.jpg", "vase") for host in ("a", "b")] + [
        ("c", "A_1.jpg", "vase")
    ]
    assert _packed(_plan(folder, rows)) == {"c": "A_1.jpg"}


def test_the_warning_is_printed_in_both_kinds_of_run(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [("C.1", "cup.jpg", "vase"), ("C.2", "cup.jpg", "bowl"), ("D", "A_1.jpg", "vase")]
    sentence = "warning: 2 objects share the picture cup.jpg (C.1, C.2)"
    for dry_run in (True, False):
        run(_settings(folder, rows, dry_run=dry_run))
        out = " ".join(capfd.readouterr().out.split())
        assert sentence in out
        assert "passed over: 2 pictures that no record names (1_23.jpg, default.jpg)" in out
    # A dry run without the pictures warns of what the table says by itself.
    run(_settings(folder, rows, images=None))
    assert sentence in " ".join(capfd.readouterr().out.split())


def test_formats_that_are_not_read_are_named_and_not_missing(folder: Path) -> None:
    files = {"H.1.jxl": b"\0\0\0\x0cJXL \r\n\x87\n", "H.2.gif": b"GIF89a\1\0\1\0", "H.3.PSD": b"8BPS\0\1"}
    for name, start in files.items():
        (folder / "images" / name).write_bytes(start + bytes(40))
    run(_settings(folder, [(name[:3], name[:3], "vase") for name in files], dry_run=False))
    with (folder / "shards" / "rejects.csv").open(encoding="utf-8", newline="") as file:
        rejects = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert rejects == dict.fromkeys(files, "unsupported-format")


_NUMBERS = st.lists(
    st.lists(st.sampled_from(["1", "2", ".", "-", "_", "a", "A"]), min_size=1, max_size=3).map("".join),
    min_size=1,
    max_size=8,
    unique=True,
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(numbers=_NUMBERS, stems=_NUMBERS, seed=st.randoms(use_true_random=False))
def test_no_picture_is_given_to_two_objects_by_likeness(
    numbers: list[str], stems: list[str], seed: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("objects")
    (folder / "images").mkdir()
    for stem in stems:
        (folder / "images" / f"x{stem}x.jpg").write_text(stem)
    for number, file, _ in OTHERS:
        (folder / "images" / file).write_text(number)
    rows = [(f"x{number}x", f"x{number}x", "vase") for number in numbers]
    shuffled = list(rows)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    outcomes = []
    for of_rows in (rows, shuffled):
        plan = _plan(folder, of_rows)
        assert plan.warnings == ()
        packed = _packed(plan)
        assert len(set(packed.values())) == len(packed)
        for number, file in packed.items():
            # Whoever's name is exactly the file's has it.
            assert file == f"{number}.jpg" or file.removesuffix(".jpg") not in {row[0] for row in rows}
        outcomes.append(packed)
    assert outcomes[0] == outcomes[1]


def test_artworks_of_the_caller(folder: Path) -> None:
    artworks = [
        Artwork(str(index), f"N.{index}", folder / "images" / PICTURES[index % 2], {"type": ("vase",)})
        for index in range(6)
    ]
    others = [
        Artwork(f"o{i}", f"o{i}", folder / "images" / file, {"type": ("vase",)})
        for i, (_, file, _) in enumerate(OTHERS)
    ]
    plan = make_plan([*artworks, *others], PackSettings(out=folder / "shards", images=folder / "images"))
    assert plan.warnings == (
        "warning: 6 objects share 2 pictures: 1_23.jpg of 3 objects (N.0, N.2, N.4), A_1.jpg of 3 objects (N.1, N.3,"
        " N.5); this is nearly always a matching fault: see --image",
    )
