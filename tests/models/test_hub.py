"""Models at the Hugging Face Hub, from a server on this machine that stands in for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest
import torch
from loopback import served_by

import arttl
from arttl.documents import LARGEST
from arttl.errors import ArttlError
from arttl.exchange.values import digest_of_weights, weights_of
from arttl.inference import promises
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel, hub, load_trained_model
from arttl.models.hub import local_folder
from arttl.models.stages import PooledStages, stage_widths
from arttl.tasks import Task, TaskSet, Vocabulary

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TASKS = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 2), (1,)))])


class Hub:
    """One repository, `museum/model`, in the branches `main` and `v1`, which are the same."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []
        self.sizes: dict[str, int] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                hub.asked.append((self.command, path))
                if not f"{path}/".startswith(("/api/models/museum/model/", "/museum/model/resolve/")):
                    return self.reply(404, b"", {"X-Error-Code": "RepoNotFound"})
                if path.startswith("/api/"):
                    revision = path.rpartition("/revision/")[2] if "/revision/" in path else "main"
                    if revision not in ("main", "v1"):
                        return self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"})
                    return self.reply(
                        200, json.dumps(hub.listing()).encode(), {"Content-Type": "application/json"}
                    )
                revision, _, name = path.removeprefix("/museum/model/resolve/").partition("/")
                if not (hub.folder / name).is_file():
                    return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"})
                data = (hub.folder / name).read_bytes()
                etag = hashlib.sha256(data).hexdigest()
                return self.reply(200, data, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'})

            def reply(self, status: int, data: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data)

        self.handler = Handler

    def listing(self) -> dict[str, object]:
        files = [path for path in sorted(self.folder.iterdir()) if path.is_file()]
        sizes = {path.name: self.sizes.get(path.name, path.stat().st_size) for path in files}
        siblings = [{"rfilename": name, "size": size, "blobId": "0" * 40} for name, size in sizes.items()]
        return {
            "id": "museum/model",
            "modelId": "museum/model",
            "sha": COMMIT,
            "tags": [],
            "siblings": siblings,
        }

    def fetched(self) -> list[str]:
        return sorted({path.rpartition("/")[2] for command, path in self.asked if "/resolve/" in path})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(tmp_path / "hub")
    hub.folder.mkdir()
    # As HF_ENDPOINT and HF_HOME in the environment do when the client is imported.
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with served_by(hub.handler) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


@pytest.fixture
def model(server: Hub) -> MultiTaskModel:
    """Saved at the hub, with files that are no part of a model beside it."""
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=32)).eval()
    model.save(server.folder)
    (server.folder / "README.md").write_text("a card")
    (server.folder / "pytorch_model.bin").write_bytes(b"pickled")
    return model


@pytest.mark.parametrize("address", ["hf://museum/model", "hf://museum/model@v1", Path("hf://museum/model")])
def test_a_model_is_loaded_by_its_address(server: Hub, model: MultiTaskModel, address: str | Path) -> None:
    again = arttl.load_model(address)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(again(images)["type"], model(images)["type"])
    assert server.fetched() == ["model.json", "model.safetensors"]
    assert (
        again.folder is not None and sorted(path.name for path in again.folder.iterdir()) == server.fetched()
    )


def test_what_belongs_to_it_is_fetched_too(server: Hub, model: MultiTaskModel) -> None:
    others = ("heads.safetensors", "calibration.json", "promises.safetensors")
    for name in others:
        (server.folder / name).write_bytes(b"{}")
    folder = local_folder("hf://museum/model")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["model.json", "model.safetensors", *others]
    )
    assert promises.FILE == hub.PROMISES


def test_a_fused_model(server: Hub) -> None:
    backbone = Backbone("test_resnet")
    stages = PooledStages(backbone, stage_widths(backbone, 32))
    FusedModel([stages], [Preprocess(size=32)], TASKS, {"type": "gates"}).save(server.folder)
    assert isinstance(load_trained_model("hf://museum/model"), FusedModel)
    assert server.fetched() == ["fused.json", "fused.safetensors"]


def test_what_is_in_the_cache_is_used_without_a_connection(
    server: Hub, model: MultiTaskModel, monkeypatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ArttlError, match="is not in the cache, and HF_HUB_OFFLINE is set"):
        arttl.load_model("hf://museum/model")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    folder = local_folder("hf://museum/model@v1")
    assert [path for _, path in server.asked if path.endswith("model.json")][-1].split("/")[4] == "v1"
    assert [path for _, path in server.asked if path.endswith(".safetensors")][-1].split("/")[4] == COMMIT
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    server.asked.clear()
    for revision in ("v1", COMMIT):
        assert local_folder(f"hf://museum/model@{revision}") == folder
    assert not server.asked


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (
            "hf://museum/modell",
            "hf://museum/modell cannot be fetched: there is no such model, or it is not public",
        ),
        ("hf://museum/model@v2", "hf://museum/model@v2 cannot be fetched: it has no such revision"),
        ("hf://museum", "hf://museum is not the address of a model; write hf://OWNER/NAME"),
        ("hf://museum/model/tree/main", "is not the address of a model"),
        ("hf://museum/../model", "is not the address of a model"),
        ("hf://museum/model@-x", "is not the address of a model"),
    ],
)
def test_addresses_of_nothing(server: Hub, model: MultiTaskModel, address: str, sentence: str) -> None:
    with pytest.raises(ArttlError) as caught:
        arttl.load_model(address)
    assert sentence in str(caught.value)


def test_a_repository_of_something_else(server: Hub) -> None:
    (server.folder / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(ArttlError, match="hf://museum/model holds no model of arttl: expected"):
        arttl.load_model("hf://museum/model")
    assert not server.fetched()


@pytest.mark.parametrize(
    ("name", "largest"), [("model.json", LARGEST), ("model.safetensors", hub.LARGEST_TENSORS)]
)
def test_files_beyond_the_limits_are_not_fetched(server: Hub, model, name: str, largest: int) -> None:
    server.sizes[name] = largest + 1
    with pytest.raises(
        ArttlError, match=f"is not fetched: its {name} has more than {largest // 2**20:,} MiB"
    ):
        arttl.load_model("hf://museum/model")
    assert name not in server.fetched()


def test_no_connection(tmp_path: Path, server: Hub, monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ArttlError, match=r"hf://museum/model cannot be fetched: .*HF_HUB_OFFLINE=1 uses it"):
        arttl.load_model("hf://museum/model")


def test_its_weights_are_named_by_the_digest_of_what_was_fetched(server: Hub, model: MultiTaskModel) -> None:
    """As `arttl review --model` and `arttl convert --model` do, which arttl predict names with the same address."""
    expected = hashlib.sha256((server.folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest_of_weights(Path("hf://museum/model")) == expected
    with pytest.raises(ArttlError, match="hf://museum is not the address of a model"):
        weights_of(Path("hf://museum"))
