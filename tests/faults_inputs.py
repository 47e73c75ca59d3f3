"""What the commands of `test_faults_of_commands.py` read, and a server of it."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from contextlib import AbstractContextManager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
from loopback import served_by
from PIL import Image

from arttl.decisions.decision import Decision
from arttl.decisions.file import DecisionFile


def served(folder: Path) -> AbstractContextManager[str]:
    """The address of a server of a folder's files."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    return served_by(partial(Handler, directory=str(folder)))


def draw_inputs(folder: Path, server: str) -> None:
    """Pictures with tables, tars of another's, and what figshare and a IIIF server have.

    Args:
        folder: for all of it.
        server: the address at which its files are served.
    """
    (folder / "images").mkdir()
    rows = []
    for number in range(20):
        picture = np.random.RandomState(number).randint(0, 256, (5, 7, 3)).astype(np.uint8)
        Image.fromarray(picture).resize((48, 40)).save(folder / f"images/{number}.jpg")
        rows.append(f"A.{number},{number}.jpg,{('vase', 'bowl', 'coin')[number % 3]}")
    for name, task, first in (("objects", "type", 0), ("others", "type", 4), ("subjects", "subject", 4)):
        (folder / f"{name}.csv").write_text(f"object_number,image,{task}\n" + "\n".join(rows[first:]) + "\n")
    suggested = [
        {"object_number": f"A.{number}", "type": {"labels": ["vase"], "status": "suggested", "ranked": []}}
        for number in range(20)
    ]
    (folder / "suggestions.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in suggested))
    with DecisionFile(folder / "decisions.sqlite") as file:
        for number in range(8):
            labels = ("vase",)
            decision = Decision("type", f"A.{number}", "", "", (), labels, None, "accepted", labels, "R")
            file.save([(decision, 0)])
    (folder / "tars").mkdir()
    with tarfile.open(folder / "tars" / "train.tar", "w") as tar:
        for number in range(16):
            tar.add(folder / f"images/{number}.jpg", f"{number}.jpg")
            (folder / "label.json").write_text(json.dumps({"type": ("vase", "bowl", "coin")[number % 3]}))
            tar.add(folder / "label.json", f"{number}.json")
    # As figshare has the Rijksmuseum Challenge.
    (folder / "articles").mkdir()
    with zipfile.ZipFile(folder / "jpg2.zip", "w") as archive:
        for number in range(4):
            archive.write(folder / f"images/{number}.jpg", f"jpg2/{number:07}_SK-A-{number}.jpg")
    with zipfile.ZipFile(folder / "xml.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"xml/{number:07}_SK-A-{number}.xml", "<record/>")
    (folder / "rijksgt.mat").write_bytes(b"MATLAB 5.0 MAT-file" * 1000)
    listed = [
        {
            "name": name,
            "size": (folder / name).stat().st_size,
            "computed_md5": hashlib.md5((folder / name).read_bytes()).hexdigest(),
            "download_url": f"{server}/{name}",
        }
        for name in ("jpg2.zip", "xml.zip", "rijksgt.mat")
    ]
    (folder / "articles" / "5660617").write_text(json.dumps({"files": listed}))
    # As a IIIF server has it.
    for number in range(3):
        body = {
            "id": f"{server}/images/{number}.jpg",
            "type": "Image",
            "format": "image/jpeg",
            "width": 48,
            "height": 40,
        }
        page = {
            "type": "AnnotationPage",
            "items": [{"type": "Annotation", "motivation": "painting", "body": body}],
        }
        manifest = {
            "@context": "http://iiif.io/api/presentation/3/context.json",
            "id": f"{server}/manifest-{number}.json",
            "type": "Manifest",
            "label": {"en": [f"A.{number}"]},
            "items": [{"id": f"{server}/c{number}", "type": "Canvas", "items": [page]}],
        }
        (folder / f"manifest-{number}.json").write_text(json.dumps(manifest))
    items = [{"id": f"{server}/manifest-{number}.json", "type": "Manifest"} for number in range(3)]
    (folder / "manifest.json").write_text(
        json.dumps({"id": f"{server}/manifest.json", "type": "Collection", "items": items})
    )
