"""Parsers of pictures, shards, models and what servers send: per parser, small valid files, and what reads them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import iiif_cases
import numpy as np
import pillow_heif
import test_documents_of_strangers as documents
import test_keras_archive as keras
import test_sources_webdataset as webdataset
import tiff_files as tiff
import torch
from archive_cases import make_tar, make_zip
from fuzzing import Parser
from iiif_stand_in import Served
from legacy_files import write_empty
from metadata import write
from PIL import Image, ImageCms
from safetensors.torch import save_file

from arttl.errors import ArttlError
from arttl.export.comparison import Pictures
from arttl.export.hub_folder import export_huggingface
from arttl.export.network import ExportedNetwork
from arttl.fetching.fetch import list_files
from arttl.fetching.http import FetchError, PoliteClient
from arttl.fetching.iiif import IiifSettings, fetch_iiif
from arttl.fetching.unpack import unpack
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.store import FeatureStore
from arttl.inference.predictions import Predictions
from arttl.keras_files.weights import open_keras
from arttl.loading import Preprocess, open_loader, remote
from arttl.models import Backbone, FusedModel, MultiTaskModel, load_trained_model, load_weights
from arttl.models.calibration import Calibration, TaskCalibration
from arttl.models.stages import PooledStages, stage_widths
from arttl.packing.command import run
from arttl.packing.commands import AdoptSettings, InfoSettings, LeaksSettings, info, leaks
from arttl.packing.merge import MergeSettings, merge
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.packing.verify import verified
from arttl.pictures.decoding import read_picture
from arttl.pictures.storing import stored_picture
from arttl.sources.synthetic import synthetic_artworks

MOST_PIXELS = 16_000_000
"""Memory grows with `--max-pixels` by design; at the default a sound picture takes more than the limit here."""
_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _picture(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    cells = np.random.RandomState(seed).randint(0, 256, (5, 7, 3)).astype(np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


def _encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    _picture().convert(mode).save(file, kind, **options)
    return file.getvalue()


def _encoded_in(kind: str, suffix: str, **modes: dict[str, Any]) -> Callable[[Path], None]:
    """Pictures of a format; the options of each, among them its mode."""

    def make(folder: Path) -> None:
        for name, options in modes.items():
            write(folder, f"{name}/file.{suffix}", _encoded(kind, **options))

    return make


def _tiffs(folder: Path) -> None:
    levels = np.asarray(_picture(20, 12)).astype(np.int64)
    grey = levels[..., :1]
    pages = {
        "strips": tiff.page_of(levels, 8, rows=5),
        "tiles": tiff.page_of(levels, 8, tile=(16, 16), compress=tiff.deflate, predictor=True),
        "planes": tiff.page_of(levels * 16, 12, planes=True),
        "sixteen": tiff.page_of(grey * 257, 16, order=">", compress=tiff.deflate),
        "bits": tiff.page_of(grey // 16, 4),
    }
    pages["strips"].sub.append(tiff.page_of(grey[:6], 8))
    halved = levels.reshape(6, 2, 10, 2, 3).mean(axis=(1, 3)).astype(np.int64)
    pyramid = tiff.page_of(levels, 8, tile=(4, 4))
    pyramid.sub.append(tiff.page_of(halved, 8, t254=1))
    write(folder, "pyramid/file.tif", tiff.tiff_bytes(pyramid))
    for name, page in pages.items():
        data = tiff.tiff_bytes(page, page, order=">" if name == "sixteen" else "<", big=name == "tiles")
        write(folder, f"{name}/file.tif", data)
    for name in ("jpeg", "tiff_lzw", "packbits", "group4"):
        write(
            folder, f"{name}/file.tif", _encoded("TIFF", "1" if name == "group4" else "RGB", compression=name)
        )


def _other_pictures(folder: Path) -> None:
    pillow_heif.register_heif_opener()
    for name, kind, mode in (
        *(("avif", "AVIF", "RGB"), ("avif-alpha", "AVIF", "RGBA")),
        *(("webp", "WEBP", "RGBA"), ("heif", "HEIF", "RGB")),
    ):
        write(folder, f"{name}/file.{kind.lower()}", _encoded(kind, mode, icc_profile=_PROFILE))


def _decode(folder: Path, scratch: Path) -> None:
    pixels = read_picture(next(folder.glob("file.*")), max_pixels=MOST_PIXELS)
    assert pixels.ndim == 3 and pixels.shape[2] == 3


def _store(folder: Path, scratch: Path) -> None:
    data = next(folder.glob("file.*")).read_bytes()
    for max_side in (32, 5):  # scaled down by the filter alone, and in parts or from a level first
        stored = stored_picture(data, max_side=max_side, max_pixels=MOST_PIXELS)
        with Image.open(io.BytesIO(stored.jpeg)) as again:
            assert again.size == (stored.width, stored.height)


def _tars(folder: Path) -> None:
    for split, first in (("train", 0), ("val", 5), ("test", 10)):
        members = []
        for index in range(first, first + 5):
            jpeg = io.BytesIO()
            _picture(seed=index).save(jpeg, "JPEG")
            fields = json.dumps({"genre": ["a", f"雪{index}"], "made": {"year": 1600 + index}}).encode()
            parts = {"jpg": jpeg.getvalue(), "cls": b"3", "json": fields}
            members += [(f"in/{index}.{suffix}", data) for suffix, data in parts.items()]
        webdataset._write(folder / "three" / f"{split}-0000.tar", members)


def _adopt(folder: Path, scratch: Path) -> None:
    tasks = ("class=cls", "genre", "year=made.year")
    run(AdoptSettings(images=folder, out=scratch / "out", tasks=tasks, workers=1, max_side=64))


def _shards(folder: Path) -> None:
    artworks = synthetic_artworks(folder.parent / "images", count=24)
    tasks = ("material", "type")
    pack(artworks, PackSettings(out=folder / "shards", tasks=tasks, workers=1, max_side=48, shard_size=10))


def _info(folder: Path, scratch: Path) -> None:
    info(InfoSettings(folder=folder))
    leaks(LeaksSettings(folder=folder))


def _verify(folder: Path, scratch: Path) -> None:
    verified(folder, 1)


def _load(folder: Path, scratch: Path) -> None:
    options: dict[str, Any] = {"preprocess": Preprocess(size=16), "batch_size": 8, "threads": 1}
    for bad in ("skip", "raise"):
        for batch in open_loader(folder, "all", ("type",), engine="cpu", on_bad_sample=bad, **options):
            assert batch.images.isfinite().all()


def _merge(folder: Path, scratch: Path) -> None:
    merge(MergeSettings(folders=(folder, folder), out=scratch / "out", workers=1))


def _open_address(folder: Path, scratch: Path) -> None:
    remote._PAUSE, os.environ["ARTTL_CACHE"] = 0.0, str(scratch / "cache")
    remote.read_manifest(f"file://{folder}")


def _models(folder: Path) -> None:
    made = MultiTaskModel(Backbone("test_resnet"), documents.TASK_SET, Preprocess(size=32), head="mlp")
    made.calibration = Calibration("val", {"type": TaskCalibration(2.0, 0.2, 0.1, 9)})
    made.save(folder / "model")
    _for_the_hub(made.eval(), folder / "hub")
    stages = PooledStages(backbone := Backbone("test_resnet"), stage_widths(backbone, 32))
    fused = FusedModel([stages], [Preprocess(size=32)], documents.TASK_SET, {"type": "attention"})
    fused.eval().save(folder / "fused")


def _for_the_hub(model: MultiTaskModel, folder: Path) -> None:
    """Its backbone in a file of its own."""
    network = ExportedNetwork(model)
    export_huggingface(model, folder, Pictures.drawn(network.inputs, model.preprocesses), None)


def _load_model(folder: Path, scratch: Path) -> None:
    model = load_trained_model(folder)
    size = model.preprocesses[0].size
    if size <= 64:
        with torch.no_grad():
            model(torch.zeros(1, 3, size, size))


def _weights(folder: Path) -> None:
    state = Backbone("test_resnet").network.state_dict()
    for name, saved in (
        ("plain", state),
        ("nested", {"model": {f"module.{key}": state[key] for key in state}}),
    ):
        for kind, options in (("zip", {}), ("old", {"_use_new_zipfile_serialization": False})):
            (folder / f"{name}-{kind}").mkdir()
            torch.save(saved, folder / f"{name}-{kind}" / "file.pth", **options)
    (folder / "safetensors").mkdir()
    save_file(state, folder / "safetensors" / "file.safetensors")


def _load_weights(folder: Path, scratch: Path) -> None:
    load_weights(Backbone("test_resnet"), str(next(folder.glob("file.*"))))


def _keras(folder: Path) -> None:
    for name in ("archive", "legacy"):
        (folder / name).mkdir()
    keras.write(folder / "archive" / "file.keras")
    shapes = {"conv": [("kernel:0", (3, 3, 3, 4)), ("bias:0", (4,))], "dense_1": [("kernel:0", (4, 3))]}
    write_empty(folder / "legacy" / "file.h5", shapes)  # type: ignore[arg-type]


def _read_keras(folder: Path, scratch: Path) -> None:
    weights = open_keras(next(folder.glob("file.*")))
    for layer, names in weights.layers.items():
        for index in range(len(names)):
            weights.read(layer, index, weights.shape(layer, index))


def _features(folder: Path) -> None:
    _shards(folder.parent)
    given: dict[str, Any] = {"backbone": "test_resnet", "weights": "none", "input_size": 32, "threads": 1}
    compute_features(FeatureSettings(shards=folder.parent / "shards", out=folder / "features", **given))


def _read_features(folder: Path, scratch: Path) -> None:
    store = FeatureStore.open(folder)
    for stage in store.stages:
        store.values(stage)
    store.load_backbone()


def _checkpoints(folder: Path) -> None:
    checkpoints = documents.Checkpoints(folder / "run", documents.Accelerator(cpu=True), keep=2)
    made = documents.learner()
    checkpoints.save_best(1, made.module.state_dict())
    progress = documents.Progress(2, 7, [0.5], [documents.Epoch(1, 1.0, 1.0, {"type": 0.5}, True)])
    checkpoints.save(progress, made, {"epoch": 1, "batch": 2})


def _resume(folder: Path, scratch: Path) -> None:
    made = documents.learner()
    if documents.Checkpoints(folder, documents.Accelerator(cpu=True), keep=2).restore(made) is not None:
        documents.step(made)


def _predictions(folder: Path) -> None:
    tasks = documents.TaskSet(
        [documents.Task("type", "single-label", documents.task("single-label", 3).training)]
    )
    keys = [str(number) for number in range(9)]
    labels = {"type": [("class 1",), None, ("class 0",)] * 3}
    logits = {"type": documents.single(0, 9, 3)[0].astype(np.float32)}
    (folder / "own").mkdir()
    made = Predictions(tasks, np.arange(9), keys, keys, labels, logits, {"type": 2.0})
    made.write(folder / "own" / "file.parquet")


def _read_predictions(folder: Path, scratch: Path) -> None:
    predictions = Predictions.read(folder / "file.parquet")
    for task in predictions.tasks:
        predictions.labelled(task)


def _archives(folder: Path) -> None:
    members = {"jpg2/a.jpg": _encoded("JPEG"), "xml/a.xml": b"<record/>", "readme.txt": b"x" * 900}
    for name in ("zip", "tar", "tar.gz", "tar.bz2"):
        path = folder / name.replace(".", "-") / f"file.{name}"
        path.parent.mkdir()
        make_zip(path, members, deflate=True) if name == "zip" else make_tar(path, members)


def _unpack(folder: Path, scratch: Path) -> None:
    try:
        unpack(next(folder.glob("file.*")), scratch / "out", (".jpg", ".xml"))
    finally:
        assert {path.name for path in scratch.iterdir()} <= {"out"}


def _responses(folder: Path) -> None:
    def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        return "\r\n".join(lines).encode() + body

    service = "http://127.0.0.1:9/iiif/1"
    canvas = iiif_cases.canvas_3(iiif_cases.image_3(service))
    manifest = json.dumps(iiif_cases.manifest_3({"Artist": "X"}, canvas)).encode()
    listed = {
        "id": 1,
        "name": "a.zip",
        "size": 3,
        "download_url": f"{service}/a.zip",
        "computed_md5": "0" * 32,
    }
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (manifest[:100], manifest[100:], b""))
    for name, data in {
        "manifest": response(manifest, "Content-Type: application/json; charset=utf-8"),
        "info": response(json.dumps(Served().document(service)).encode()),
        "picture": response(_encoded("JPEG"), "Content-Type: image/jpeg"),
        "listing": response(json.dumps({"files": [listed]}).encode()),
        "gzip": response(gzip.compress(manifest), "Content-Encoding: gzip"),
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        "redirect": response(b"", "Location: /x", status="302 Found"),
        "busy": response(b"", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", status="503 Service Unavailable"),
    }.items():
        write(folder, f"{name}/file.http", data)


@contextlib.contextmanager
def _serving(data: bytes) -> Any:
    """A server that sends these bytes whatever it is asked for; no other host has a name."""
    server = socket.create_server(("127.0.0.1", 0))
    resolve = socket.getaddrinfo

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(2)
                    connection.recv(65536)
                    connection.sendall(data)

    def resolve_here(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "127.0.0.1":
            raise socket.gaierror("no such name")
        return resolve(host, *arguments, **options)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    socket.getaddrinfo = resolve_here
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a"
    finally:
        socket.getaddrinfo = resolve
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def _fetch(folder: Path, scratch: Path) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    client = PoliteClient(rate=1e6, retries=1, pause=0.0, seconds=3.0, most_wait=0.0)
    with _serving((folder / "file.http").read_bytes()) as address:
        with contextlib.suppress(FetchError):
            client.get(address, most_bytes=1 << 20, local=True)
        fetch_iiif(IiifSettings((address,), scratch / "out", rate=1e6, retries=0), client=client)
        with contextlib.suppress(ArttlError):
            list_files(address)


_EXIF = Image.Exif()
_EXIF[274] = 6
_PIXELS = (_decode, _store)
PARSERS = {
    "jpeg": Parser(
        _encoded_in(
            *("JPEG", "jpg"),
            plain={},
            progressive={"progressive": True, "exif": _EXIF, "icc_profile": _PROFILE},
            cmyk={"mode": "CMYK", "restart_marker_blocks": 1},
            grey={"mode": "L"},
        ),
        _PIXELS,
    ),
    "png": Parser(
        _encoded_in(
            *("PNG", "png"),
            rgb={"icc_profile": _PROFILE},
            p={"mode": "P", "transparency": 0},
            **{mode: {"mode": mode} for mode in ("RGBA", "I;16", "1", "LA")},
        ),
        _PIXELS,
    ),
    "tiff": Parser(_tiffs, _PIXELS),
    "jpeg2000": Parser(
        _encoded_in(
            *("JPEG2000", "jp2"),
            stream={"no_jp2": True},
            **{m: {"mode": m} for m in ("RGB", "LA", "L", "RGBA")},
        ),
        _PIXELS,
    ),
    "avif-webp-heic": Parser(_other_pictures, _PIXELS),
    "webdataset": Parser(_tars, (_adopt,)),
    "shards": Parser(_shards, (_info, _verify, _load, _merge, _open_address)),
    "models": Parser(_models, (_load_model,)),
    "weights": Parser(_weights, (_load_weights,)),
    "keras": Parser(_keras, (_read_keras,)),
    "features": Parser(_features, (_read_features,), (".json", ".npy", ".safetensors", ".parquet")),
    "checkpoints": Parser(_checkpoints, (_resume,)),
    "predictions": Parser(_predictions, (_read_predictions,)),
    "archives": Parser(_archives, (_unpack,)),
    "http": Parser(_responses, (_fetch,)),
}
