from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_cases import make_tar, make_zip
from figshare_stand_in import StandIn, serving
from PIL import Image
from rich.console import Console

from arttl.artworks import Artwork
from arttl.cli import COMMANDS, run_command
from arttl.errors import ArttlError
from arttl.fetching import fetch as fetch_module
from arttl.fetching.fetch import FIGSHARE, FetchedCollection, FetchSettings, fetch
from arttl.sources.rijks2014 import read_rijks2014
from arttl.sources.settings import SourceSettings

RECORD = """<record xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>prentmaker: Dürer, Albrecht</dc:creator>
<dc:type>prent</dc:type><dc:format>materiaal: papier</dc:format></record>"""
STEMS = [f"{i:07}_SK-A-{i}" for i in range(1, 41)]


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def challenge(tmp_path) -> dict[str, bytes]:
    """The publisher's files, in two archives and two loose ones."""
    pictures = {f"rijks/jpg2/{stem}.jpg": jpeg(i) for i, stem in enumerate(STEMS)}
    records = {f"xml/{stem}.xml": RECORD.encode() for stem in STEMS}
    make_zip(tmp_path / "jpg2.zip", pictures)
    make_tar(tmp_path / "xml.tar.gz", records)
    files = {path.name: path.read_bytes() for path in (tmp_path / "jpg2.zip", tmp_path / "xml.tar.gz")}
    return {**files, "rijksgt.mat": b"MATLAB 5.0 MAT-file", "rijksFV16.mat": b"large"}


def fetch_quietly(server: StandIn, out: Path, **others: Any) -> FetchedCollection:
    quiet = Console(quiet=True)
    return fetch(FetchSettings(out, api=server.api, **others), console=quiet, pause=0)


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_challenge_arrives_as_its_source_reads_it(tmp_path, challenge) -> None:
    out = tmp_path / "rijks"
    broken = StandIn(challenge, break_after=9_000, wrong_sums=Counter({"xml.tar.gz": 1}))
    with serving(broken) as server:
        found = fetch_quietly(server, out)
    assert (found.pictures, found.records, found.ground_truth) == (40, 40, True)
    assert listing(out) == {"jpg2", "xml", "rijksgt.mat", "fetched.json"}
    assert {name for name, _ in server.requests} == {"jpg2.zip", "xml.tar.gz", "rijksgt.mat"}
    assert any(wanted for _, wanted in server.requests), "nothing was resumed"
    artworks = list(
        read_rijks2014(SourceSettings(source="rijks2014", metadata=out / "xml", images=out / "jpg2"))
    )
    assert len(artworks) == 40
    for number, artwork in enumerate(artworks):
        assert isinstance(artwork, Artwork) and artwork.image.read_bytes() == jpeg(number)
        assert artwork.labels == {
            "material": ("papier",),
            "type": ("prent",),
            "artist": ("Dürer, Albrecht",),
        }
    files = json.loads((out / "fetched.json").read_text())["files"]
    assert [file["name"] for file in files] == ["jpg2.zip", "xml.tar.gz", "rijksgt.mat"]


def test_an_interrupted_call_is_taken_up(tmp_path, challenge, monkeypatch) -> None:
    out = tmp_path / "rijks"
    with serving(StandIn(challenge)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(fetch_module, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                fetch_quietly(server, out)
        asked = len(server.requests)
        assert fetch_quietly(server, out, keep_archives=True).pictures == 40
        assert len(server.requests) == asked, "what had arrived was asked for again"
        assert listing(out / "downloads") == {"jpg2.zip", "xml.tar.gz", "rijksgt.mat"}
        with pytest.raises(ArttlError, match="is fetched already"):
            fetch_quietly(server, out)


def test_pictures_in_two_folders(tmp_path, challenge) -> None:
    make_zip(tmp_path / "more.zip", {f"jpg/{STEMS[0]}.jpg": b"another size"})
    with serving(StandIn({**challenge, "more.zip": (tmp_path / "more.zip").read_bytes()})) as server:
        assert fetch_quietly(server, tmp_path / "one").pictures == 40
        assert (tmp_path / "one" / "jpg2" / f"{STEMS[0]}.jpg").read_bytes() == jpeg(0)
    make_zip(tmp_path / "jpg2.zip", {f"pictures/{STEMS[0]}.jpg": b"one size"})
    files = {**challenge, "jpg2.zip": (tmp_path / "jpg2.zip").read_bytes()}
    with serving(StandIn({**files, "more.zip": (tmp_path / "more.zip").read_bytes()})) as server:
        with pytest.raises(ArttlError, match=r"hold two different 0000001_SK-A-1.jpg, in .*--skip"):
            fetch_quietly(server, tmp_path / "two")
        assert fetch_quietly(server, tmp_path / "two", skip=("more.zip", "*FV*")).pictures == 1


def test_a_hostile_archive_leaves_nothing_that_looks_finished(tmp_path, challenge) -> None:
    make_zip(tmp_path / "evil.zip", {"../../evil.jpg": b"evil"})
    with serving(StandIn({**challenge, "evil.zip": (tmp_path / "evil.zip").read_bytes()})) as server:
        with pytest.raises(ArttlError, match=r"evil.zip is refused"):
            fetch_quietly(server, tmp_path / "rijks")
        assert not {"jpg2", "xml", "fetched.json"} & listing(tmp_path / "rijks")
        assert fetch_quietly(server, tmp_path / "rijks", skip=("evil.zip", "*FV16*")).pictures == 40
    assert not list(tmp_path.rglob("evil.jpg"))


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ({"nothing": 1}, "does not list files as figshare does"),
        ([], "does not list files as figshare does"),
        ({"files": []}, "lists no files"),
        ({"files": [{"name": "../x.zip"}]}, "a file '../x.zip' without a plain name"),
        ({"files": [{"name": ".bashrc"}]}, "a file '.bashrc' without a plain name"),
        ({"files": [{"name": "x.zip", "computed_md5": "0"}]}, "without a plain name, a size and an MD5 sum"),
        ({"files": [{"name": "x.zip", "download_url": "file:///etc/passwd"}]}, "is not a web address"),
        ({"files": [{"name": "x.zip"}, {"name": "x.zip"}]}, "two files of one name"),
        ({"files": [{"name": "x.zip", "size": 10**18}]}, r"needs about 2,000,000,000.0 GB"),
    ],
)
def test_a_list_that_is_not_as_it_should_be(tmp_path, listing: Any, message: str) -> None:
    base = {"size": 1, "computed_md5": "0" * 32, "download_url": "http://127.0.0.1:9/x"}
    if isinstance(listing, dict) and "files" in listing:
        listing = {"files": [{**base, **entry} for entry in listing["files"]]}
    with serving(StandIn({}, listing=listing)) as server, pytest.raises(ArttlError, match=message):
        fetch_quietly(server, tmp_path / "rijks")


def test_files_without_pictures_or_records(tmp_path, challenge) -> None:
    with serving(StandIn(challenge)) as server:
        with pytest.raises(ArttlError, match="40 pictures and 0 records, and --source rijks2014 needs both"):
            fetch_quietly(server, tmp_path / "rijks", skip=("xml*",))
        assert fetch_quietly(server, tmp_path / "rijks").records == 40


def test_a_folder_of_somebody_else(tmp_path, challenge) -> None:
    (tmp_path / "mine" / "xml").mkdir(parents=True)
    with (
        serving(StandIn(challenge)) as server,
        pytest.raises(ArttlError, match="holds xml that is not of this"),
    ):
        fetch_quietly(server, tmp_path / "mine")


def test_the_command(tmp_path, challenge, capsys) -> None:
    with serving(StandIn(challenge)) as server:
        argv = ["rijks2014", "--out", str(tmp_path / "rijks"), "--api", server.api]
        assert run_command("fetch", argv) == 0
    said = capsys.readouterr().out
    assert said.startswith("40 pictures and 40 records")
    assert re.search(r"arttl shards --source rijks2014 --images \S*/jpg2 --metadata \S*/xml", said)
    assert run_command("fetch", argv) == 2 and "fetched already" in capsys.readouterr().err
    assert "fetch" in COMMANDS
    assert run_command("fetch", ["rijks2014", "--out", str(tmp_path / "other"), "--api", "file:///etc"]) == 2
    assert "is not a web address" in capsys.readouterr().err


def test_the_publishers_address_stands_in_one_place() -> None:
    package = Path(fetch_module.__file__).parents[1]
    texts = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert sum(text.count("api.figshare.com") for text in texts.values()) == 1
    assert FIGSHARE == "https://api.figshare.com/v2"
