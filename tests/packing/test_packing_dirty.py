"""A collection in which nearly everything is wrong: each bad file and row is left out for the right reason, and nobody
meets one at training time.
"""

from __future__ import annotations

import csv
import io
import os
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from arttl.loading import open_loader
from arttl.packing.command import run
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest


def _floating_tiff() -> bytes:
    file = io.BytesIO()
    Image.new("F", (20, 20), 0.5).save(file, "TIFF")
    return file.getvalue()


def _dirty_files(folder: Path, picture: Image.Image) -> dict[str, str]:
    """File names to the reason for which each must be left out; '' for those that must be packed."""
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=90)
    data = encoded.getvalue()
    flipped = bytearray(data)
    flipped[len(data) * 2 // 3 : len(data) * 2 // 3 + 60] = b"\xa5" * 60

    def own(name: str) -> bytes:
        """The same picture as a file of its own, by a comment segment."""
        comment = name.encode()
        return data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]

    files = {
        "truncated.jpg": (data[: len(data) // 2], "damaged"),
        "overwritten.jpg": (bytes(flipped), "damaged"),
        "empty.jpg": (b"", "empty"),
        "html.jpg": (b"<html><body>404 Not Found</body></html>", "not-a-picture"),
        "gif.jpg": (b"GIF89a\1\0\1\0" + bytes(20), "unsupported-format"),
        "noise.jpg": (bytes(range(256)), "not-a-picture"),
        "ok.jpg": (data, ""),
        "no-suffix": (own("no-suffix"), ""),
        "wrong-suffix.png": (own("wrong-suffix"), ""),
        "same bytes.jpg": (data, "duplicate-picture"),
        "the same html.jpg": (b"<html><body>404 Not Found</body></html>", "not-a-picture"),
    }
    reasons = {name: reason for name, (_, reason) in files.items()}
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    for mode in ("CMYK", "L"):
        picture.convert(mode).save(folder / f"{mode}.jpg")
        reasons[f"{mode}.jpg"] = ""
    for mode in ("RGBA", "P", "LA", "1"):
        picture.convert(mode).save(folder / f"{mode}.png")
        reasons[f"{mode}.png"] = ""
    picture.convert("L").convert("I;16").save(folder / "sixteen.png")
    picture.save(folder / "two pages.tif", save_all=True, append_images=[picture])
    picture.save(folder / "progressive.jpg", progressive=True)
    Image.new("RGB", (3000, 1)).save(folder / "thin.png")
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (1200, 1000)).save(folder / "bomb.png")
    reasons |= dict.fromkeys(("sixteen.png", "two pages.tif", "progressive.jpg", "thin.png", "dot.png"), "")
    reasons["bomb.png"] = "too-large"
    encoded = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture.save(folder / "profile of another space.jpg", icc_profile=encoded)
    picture.save(folder / "profile cut.jpg", icc_profile=encoded[:60])
    picture.save(folder / "lossless.webp", lossless=True)
    picture.save(folder / "animated.webp", save_all=True, append_images=[picture.rotate(90)])
    picture.save(folder / "wavelets.jp2")
    (folder / "lossless cut.webp").write_bytes((folder / "lossless.webp").read_bytes()[:400])
    (folder / "wavelets cut.jp2").write_bytes((folder / "wavelets.jp2").read_bytes()[:300])
    png = bytearray((folder / "thin.png").read_bytes())
    png[50] ^= 1
    (folder / "checksum.png").write_bytes(png)
    (folder / "film.jpg").write_bytes(b"\0\0\0\x18ftypisom" + bytes(40))
    (folder / "pages.pdf").write_bytes(b"%PDF-1.4\n")
    (folder / "float.tif").write_bytes(_floating_tiff())
    (folder / "header only.jpg").write_bytes(data[:20])
    kept = (
        "profile of another space.jpg",
        "profile cut.jpg",
        "lossless.webp",
        "animated.webp",
        "wavelets.jp2",
    )
    reasons |= dict.fromkeys(kept, "")
    reasons |= dict.fromkeys(
        ("lossless cut.webp", "wavelets cut.jp2", "checksum.png", "header only.jpg"), "damaged"
    )
    reasons |= dict.fromkeys(("film.jpg", "pages.pdf", "float.tif"), "unsupported-format")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(folder / f"turned{orientation}.jpg", exif=exif)
        reasons[f"turned{orientation}.jpg"] = ""
    odd = (
        "a blank.jpg",
        "quote'\".jpg",
        "a.b.c.jpg",
        "Ünïcödé 雪.jpg",
        "new\nline.jpg",
        "-dash.jpg",
        "semi;colon,.jpg",
    )
    for name in odd:
        (folder / name).write_bytes(own(name))
        reasons[name] = ""
    (folder / "folder.jpg").mkdir()
    (folder / "broken-link.jpg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpg")
    return reasons | {
        "folder.jpg": "unreadable",
        "broken-link.jpg": "missing",
        "pipe.jpg": "unreadable",
        "not-there.jpg": "missing",
    }


def _dirty_rows(folder: Path, files: dict[str, str]) -> tuple[list[list[str]], list[tuple[str, str, str]]]:
    """Rows of metadata for the files, besides rows that are bad in themselves; and number, file and reason of each
    that must be left out."""
    rows = []
    expected = []
    for index, (name, reason) in enumerate(files.items()):
        number = f"N°{index}/{chr(0x4E00 + index)}.1"
        rows.append([number, name, ("vase", "bowl", "")[index % 3], f"label of {name}", "train"])
        if reason:
            expected.append((number, name, reason))
    rows[0][4] = "test"
    for number, name, reason in (
        ("", "ok.jpg", "no-object-number"),
        ("X.1", "", "no-image-named"),
        ("X.2", "../secret.jpg", "outside-folder"),
        ("X.3", "/etc/passwd", "outside-folder"),
        ("X.4", "C:\\photos\\x.jpg", "outside-folder"),
        ("X.5", "a/../../x.jpg", "outside-folder"),
        ("X.6", "nul\0.jpg", "bad-row"),
        ("X.7", "ok.jpg/inside.jpg", "missing"),
        ("X.8", f"{'long' * 100}.jpg", "unreadable"),
        (rows[6][0], rows[6][1], "duplicate-row"),
    ):
        rows.append([number, name, "vase", f"label of {name}", "train"])
        expected.append((number, name.replace("\0", "\ufffd"), reason))
    rows.append(["X.9", "ok.jpg", "vase", "x", "train", "one cell too many"])
    expected.append(("X.9", "ok.jpg", "bad-row"))
    rows.append(["X.10", "CMYK.jpg", "vase", "x", ""])
    expected.append(("X.10", "CMYK.jpg", "no-split"))
    return rows, expected


def test_a_dirty_collection(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    files = _dirty_files(folder, soft_picture())
    rows, expected = _dirty_rows(folder, files)
    assert len(expected) >= 25
    assert len(files) > 45
    for index in range(6):  # and a few good ones, so that there is something to evaluate
        soft_picture(50, 40, seed=90 + index).save(folder / f"good{index}.jpg")
        split = ("val", "test")[index % 2]
        rows.append([f"good.{index}", f"good{index}.jpg", ("vase", "bowl")[index // 3], f"g{index}", split])
    with (tmp_path / "objects.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["number", "file", "kind", "name", "part"], *rows])
    settings = PackSettings(
        metadata=tmp_path / "objects.csv",
        images=folder,
        object_number="number",
        image="file",
        tasks=("type=kind", "name"),
        split="column=part",
        out=tmp_path / "shards",
        max_pixels=1_000_000,
        max_side=64,
        workers=1,
    )
    run(settings)
    manifest = Manifest.read(settings.out)
    with (settings.out / "rejects.csv").open(encoding="utf-8", newline="") as file:
        rejects = list(csv.DictReader(file))
    assert list(rejects[0]) == ["object_number", "key", "file", "reason", "detail"]
    assert sorted((found["object_number"], found["file"], found["reason"]) for found in rejects) == sorted(
        expected
    )
    assert all(found["detail"] for found in rejects)
    good = [name for name, reason in files.items() if not reason] + [f"good{index}.jpg" for index in range(6)]
    assert len(manifest) == len(good)
    names = {" ".join(row[3].split()) for row in rows if row[1] in good}
    assert {labels[0] for labels in manifest.labels("name") if labels} <= names
    for shard in set(manifest.shards):
        with tarfile.open(manifest.directory / shard) as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    jpeg = tar.extractfile(member)
                    assert jpeg is not None
                    picture = Image.open(jpeg)
                    picture.load()
                    assert (picture.mode, max(picture.size) <= 64) == ("RGB", True)
    assert manifest.sizes.max() == 64
    for engine in ("cpu", "dali-cpu"):
        if engine == "dali-cpu":
            pytest.importorskip("nvidia.dali", reason="DALI is not installed")
        for split in ("train", "val", "test"):
            loader = open_loader(settings.out, split, ("type",), batch_size=4, engine=engine, threads=1)
            labelled = sum(
                found is not None and of == split
                for found, of in zip(manifest.labels("type"), manifest.splits, strict=True)
            )
            for epoch in range(3):
                loader.set_epoch(epoch)
                assert sum(int(batch.valid.sum()) for batch in loader) == labelled
