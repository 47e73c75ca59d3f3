"""Originals of 127 megapixels packed: processor time and peak memory beside pyvips' `thumbnail`.

    pip install pyvips pyvips-binary
    python benchmarks/packing_large.py --scan SCAN.jpg --work FOLDER             # five rounds, about five minutes
    python benchmarks/packing_large.py --scan SCAN.jpg --work FOLDER --rounds 1 --kinds tiff-lzw

Makes a picture of 12,000 pixels out of a scan (enlarged, with the noise of a sensor) in `--work`, as a file of each
kind (1.8 GB; those that are there are used again), and packs it to 512 pixels: `arttl` is the JPEG that is stored, with
every check, `pyvips` its `thumbnail` written as a JPEG of the same quality with all of libvips' threads counted,
`decoding` arttl's decoding alone, without scaling and encoding: the floor. A JPEG 2000 is written by Pillow, since
libvips' binary has no OpenJPEG.

Every measurement is a process of its own, which has packed a small file of the kind before, so that no import is timed.
Peak memory is the process's highest resident memory (Linux), imports included. Rounds are interleaved, in the other
direction every second time; figures are medians, with the range, and ratios medians of the rounds' ratios. PSNR is that
of the pixels before they are encoded, against the picture in full precision: means of float32, then Pillow's bicubic
filter in float32; of JPEGs and pyramids libvips makes another size, which cannot be compared.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CAP, LONGEST, MOST_PIXELS = 512, 12_000, 200_000_000
KINDS = {
    "jpeg": "a.jpg[Q=92]",
    "tiff": "plain.tif",
    "tiff-lzw": "lzw.tif[compression=lzw,predictor=horizontal]",
    "tiff-deflate-tiles": "tiles.tif[compression=deflate,predictor=horizontal,tile]",
    "tiff-pyramid": "pyramid.tif[compression=jpeg,tile,pyramid,Q=90]",
    "tiff-16-bit": "sixteen.tif",
    "png": "a.png[compression=3]",
    "jpeg2000": "a.jp2",
}


def path_of(kind: str, folder: Path) -> Path:
    """The file of a kind."""
    return folder / KINDS[kind].partition("[")[0]


def make_files(scan: Path, folder: Path, longest: int, kinds: list[str]) -> None:
    """Write what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [kind for kind in kinds if not path_of(kind, folder).exists()]
    if not missing:
        return
    import pyvips

    opened = pyvips.Image.new_from_file(str(scan)).colourspace("srgb")
    large = opened.resize(longest / max(opened.width, opened.height))
    noise = pyvips.Image.gaussnoise(large.width, large.height, sigma=4, seed=1)
    # Once: the noise would be drawn again for each file.
    large = (large + noise).cast("uchar").copy(interpretation="srgb").copy_memory()
    for kind in missing:
        target = folder / KINDS[kind]
        if kind == "jpeg2000":
            Image.fromarray(large.numpy()).save(
                target, quality_mode="rates", quality_layers=[10], irreversible=True
            )
        elif kind == "tiff-16-bit":
            sixteen = (large.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
            sixteen.write_to_file(str(target))
        else:
            large.write_to_file(str(target))


def pack_with_arttl(path: Path) -> Image.Image:
    """The JPEG that is stored."""
    from arttl.pictures.decoding import opened_image
    from arttl.pictures.picture_file import PictureFile
    from arttl.pictures.storing import stored_picture

    with opened_image(PictureFile(path), max_pixels=MOST_PIXELS) as data:
        return stored_picture(data, max_side=CAP, max_pixels=MOST_PIXELS).pixels


def decode_with_arttl(path: Path) -> None:
    """Decoding alone, of as much as packing decodes."""
    from arttl.picture_headers.png import read_png_header
    from arttl.pictures.decoding import decode_picture, opened_image
    from arttl.pictures.picture_file import PictureFile
    from arttl.pictures.png_rows import rows_of as rows_of_png
    from arttl.pictures.reducing import AllowedScale
    from arttl.pictures.tiff import directories
    from arttl.pictures.tiff_pieces import pieces_of
    from arttl.pictures.tiff_rows import rows_of

    with opened_image(PictureFile(path), max_pixels=MOST_PIXELS) as data:
        if path.suffix == ".png":
            for _ in rows_of_png(data, read_png_header(data)):
                pass
        elif path.suffix == ".tif" and not path.name.startswith("pyramid"):
            pieces = pieces_of(next(directories(data)))
            assert pieces is not None
            for _ in rows_of(pieces):
                pass
        else:
            decode_picture(data, max_pixels=MOST_PIXELS, allowed=AllowedScale(cover=round(1.2 * CAP)))


def pack_with_pyvips(path: Path) -> Image.Image:
    """Its thumbnail as a JPEG, and its pixels."""
    import pyvips

    small = pyvips.Image.thumbnail(str(path), CAP, height=CAP, size="down").copy_memory()
    if small.format == "ushort":
        small = small.colourspace("srgb")
    small.write_to_buffer(".jpg[Q=92]")
    return Image.fromarray(small.numpy())


CONTESTANTS: dict[str, Callable[[Path], Any]] = {
    "arttl": pack_with_arttl,
    "pyvips": pack_with_pyvips,
    "decoding": decode_with_arttl,
}


def one(contestant: str, path: Path, small: Path, reference: Path) -> None:
    """Run one contestant in this process, and print what it took as JSON."""
    CONTESTANTS[contestant](small)
    started = time.process_time()
    picture = CONTESTANTS[contestant](path)
    took = time.process_time() - started
    # Not getrusage's, which is that of the process that started this one if that had more.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    measured = {"seconds": took, "peak": int(peak) / 1024}
    if isinstance(picture, Image.Image):
        exact = np.load(reference)
        if picture.size == exact.shape[1::-1]:
            error = np.asarray(picture, np.float64) - exact
            measured["psnr"] = float(10 * np.log10(255**2 / np.square(error).mean()))
    print(json.dumps(measured))


def full_precision(path: Path, longest: int) -> np.ndarray:
    """[h, w, 3] float32: the plain TIFF scaled down, in full precision."""
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as opened:
        pixels = np.asarray(opened)
    height, width = pixels.shape[:2]
    size = (round(width * CAP / longest), round(height * CAP / longest))
    factor = int(longest / CAP / 2)
    rows = [
        np.add.reduceat(
            pixels[top : top + factor].astype(np.float32).mean(0), range(0, width, factor), axis=0
        )
        for top in range(0, height, factor)
    ]
    counts = np.minimum(factor, width - np.arange(0, width, factor))[None, :, None]
    means = np.stack(rows) / counts.astype(np.float32)
    box = (0, 0, width / factor, height / factor)
    bands = [
        Image.fromarray(np.ascontiguousarray(means[..., c])).resize(size, Image.Resampling.BICUBIC, box)
        for c in range(3)
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1).clip(0, 255)


def main() -> None:
    """Measure every kind, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scan", type=Path, help="a JPEG to enlarge")
    parser.add_argument("--work", type=Path, help="folder for the files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--one", nargs=4, metavar=("NAME", "FILE", "SMALL", "EXACT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        name, *paths = given.one
        one(name, *map(Path, paths))
        return
    if given.scan is None or given.work is None:
        parser.error("--scan and --work are needed")
    small, exact = given.work / "small", given.work / "exact.npy"
    make_files(given.scan, small, 600, given.kinds)
    make_files(given.scan, given.work, LONGEST, ["tiff", *given.kinds])
    if not exact.exists():
        np.save(exact, full_precision(path_of("tiff", given.work), LONGEST))
    print(
        "| file | arttl, s | decoding alone | over decoding | arttl, MiB | pyvips, s | pyvips, MiB | ", end=""
    )
    print("pyvips over arttl | PSNR of arttl, dB | of pyvips |")
    print("|---|" + "---:|" * 9)
    for kind in given.kinds:
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
        names = [name for name in CONTESTANTS if name != "pyvips" or kind != "jpeg2000"]
        for number in range(given.rounds):
            for name in names[:: 1 if number % 2 == 0 else -1]:
                files = [path_of(kind, given.work), path_of(kind, small), exact]
                command = [sys.executable, __file__, "--one", name, *map(str, files)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                runs[name].append(json.load(io.StringIO(done.stdout)))
        print(row_of(kind, runs), flush=True)


def row_of(kind: str, runs: dict[str, list[dict[str, float]]]) -> str:
    """A row of the table."""

    def seconds(name: str) -> str:
        values = [run["seconds"] for run in runs[name]]
        return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "–"

    def ratio(name: str, other: str) -> str:
        pairs = zip(runs[name], runs[other], strict=bool(runs[name]))
        values = [first["seconds"] / second["seconds"] for first, second in pairs]
        return f"{statistics.median(values):.2f}" if values else "–"

    def of(name: str, what: str, form: str) -> str:
        values = [run[what] for run in runs[name] if what in run]
        return format(statistics.median(values), form) if values else "–"

    cells = [
        kind,
        seconds("arttl"),
        seconds("decoding"),
        ratio("arttl", "decoding"),
        of("arttl", "peak", ".0f"),
    ]
    cells += [seconds("pyvips"), of("pyvips", "peak", ".0f"), ratio("pyvips", "arttl")]
    cells += [of("arttl", "psnr", ".1f"), of("pyvips", "psnr", ".1f")]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
