"""The feature store: the pooled stages of one backbone over every sample of a folder of shards, memory-mapped.

A folder that needs neither the shards nor the weights any more:

- `features.json`: what the features are of, the stages, and a SHA-256 for every block of rows;
- `stage-0.npy`, ...: one array [N, D] float32 per stage, row i being row i of the manifest;
- `backbone.safetensors`: the network's weights;
- `config.yaml`: the settings of `arttl features`;
- `manifest.parquet`, `dataset.json` and, where the shards have it, `near-duplicates.csv`: copied from the shards.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from arttl.documents import parse_json, read_json, read_versioned
from arttl.errors import ArttlError, one_line
from arttl.files import (
    append_lines,
    commit,
    digest_of_file,
    read_lines,
    remove,
    whole_file,
    write_bytes,
    write_json,
    writing,
)
from arttl.frozen.recipe import FORMAT_VERSION, BlockLine, Description, Recipe
from arttl.loading import Preprocess
from arttl.meta_device import without_memory
from arttl.models import Backbone
from arttl.models.folders import check_shapes, first_line, save_tensors
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE
from arttl.runs import write_config
from arttl.shards.manifest import Manifest

_DESCRIPTION, _WEIGHTS, _BEGUN, _BLOCKS = (
    "features.json",
    "backbone.safetensors",
    "begun.json",
    "blocks.jsonl",
)
LARGEST_FEATURE = 1e15
"""Of whose squares and sums float32 still has the size, which standardisation needs."""
_AGAIN = "remove the folder and run `arttl features` again"


def unusable_rows(values: torch.Tensor) -> list[int]:
    """The rows of features [N, D] that hold NaN, infinity or numbers above `LARGEST_FEATURE`."""
    rows: list[int] = (~(values.abs() <= LARGEST_FEATURE).all(1)).nonzero().flatten().tolist()
    return rows


class FeatureStore:
    """A finished folder of features; arrays are opened when they are asked for."""

    def __init__(self, directory: Path, recipe: Recipe, block_size: int, blocks: Sequence[str]) -> None:
        self.directory = directory
        self.recipe = recipe
        self.preprocess = Preprocess.from_dict(recipe.preprocess)
        self._block_size, self._blocks = block_size, blocks

    @classmethod
    def open(cls, directory: str | Path, *, verify: bool = True) -> FeatureStore:
        """Open a folder that `arttl features` made.

        Args:
            directory: the folder.
            verify: read every array once and compare it with its digests.

        Raises:
            ArttlError: if the folder holds no finished features, of this format, whole.
        """
        directory = Path(directory)
        if not (directory / _DESCRIPTION).is_file():
            raise ArttlError(f"{directory} holds no finished features; make them with `arttl features`")
        record = read_versioned(directory / _DESCRIPTION, Description, FORMAT_VERSION, "feature")
        store = cls(directory, record.recipe, record.block_size, record.blocks)
        try:
            if digest_of_file(directory / "manifest.parquet") != store.recipe.shards_sha256:
                raise ArttlError(f"{directory / 'manifest.parquet'} is not the one the features were made of")
            for stage in store.recipe.stages:
                store._array(stage)
            if verify:
                store._verify()
        except OSError as error:
            raise ArttlError(f"the features in {directory} cannot be read: {one_line(error)}") from error
        return store

    @property
    def backbone_name(self) -> str:
        """Timm's name of the network."""
        return self.recipe.backbone

    @property
    def stages(self) -> dict[str, int]:
        """Stage name to width, in order of depth."""
        return dict(self.recipe.stages)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the shards."""
        return Manifest.read(self.directory)

    def values(self, stage: str) -> torch.Tensor:
        """The features of every row of the manifest at one stage, [N, D] float32, in memory.

        Raises:
            ArttlError: if they are not finite or too large, or cannot be read.
        """
        values = torch.from_numpy(np.array(self._array(stage)))
        if broken := unusable_rows(values):
            raise ArttlError(
                f"{_array_path(self.directory, self.recipe, stage)} holds NaN, infinity or numbers above"
                f" {LARGEST_FEATURE:g} in {len(broken)} of {len(values)} rows, row {broken[0]} first; {_AGAIN}"
            )
        return values

    def load_backbone(self) -> Backbone:
        """The network that made the features, in evaluation mode.

        Raises:
            ArttlError: if its weights are damaged.
        """
        try:
            with without_memory():
                check_shapes(
                    Backbone(self.backbone_name, self.recipe.pooling),
                    {self.directory / _WEIGHTS: ""},
                    _DESCRIPTION,
                )
            backbone = Backbone(self.backbone_name, self.recipe.pooling)
            backbone.load_state_dict(load_file(self.directory / _WEIGHTS))
        except (OSError, RuntimeError, SafetensorError, ValueError) as error:
            path = self.directory / _WEIGHTS
            raise ArttlError(
                f"{path} is damaged or of another network ({first_line(error)}); {_AGAIN}"
            ) from error
        if sha256_of_weights(backbone) != self.recipe.weights_sha256:
            raise ArttlError(
                f"{self.directory / _WEIGHTS} is not the network the features were made with; {_AGAIN}"
            )
        return backbone.eval()

    def _array(self, stage: str) -> npt.NDArray[np.float32]:
        path = _array_path(self.directory, self.recipe, stage)
        try:
            with np.errstate(over="ignore"):  # of the size that a damaged header asks for
                array = np.lib.format.open_memmap(path, mode="r")
        except OSError as error:
            raise ArttlError(f"{path} cannot be read: {error.strerror or error}; {_AGAIN}") from error
        except Exception as error:  # numpy raises whatever a damaged header leads to
            raise ArttlError(f"{path} is damaged or not an array of features; {_AGAIN}") from error
        if array.shape != (len(self.manifest), self.recipe.stages[stage]) or array.dtype != np.float32:
            raise ArttlError(
                f"{path} has {array.dtype} {array.shape}, which is not what {_DESCRIPTION} says; {_AGAIN}"
            )
        return np.asarray(array)

    def _verify(self) -> None:
        arrays = [self._array(stage) for stage in self.recipe.stages]
        for number, digest in enumerate(self._blocks):
            if _block_digest(arrays, _block(number, self._block_size)) != digest:
                first = number * self._block_size
                raise ArttlError(
                    f"the features in {self.directory} are damaged from row {first} on; {_AGAIN}"
                )
        if len(self._blocks) != -(-len(self.manifest) // self._block_size):
            raise ArttlError(f"{self.directory / _DESCRIPTION} lacks the digests of some blocks of rows")


class StoreWriter:
    """Fills a store under a hidden name beside its own, block by block; a killed pass is resumed from there."""

    def __init__(self, out: Path, recipe: Recipe, manifest: Manifest, block_size: int) -> None:
        """Prepare to write.

        Args:
            out: the folder of the finished store.
            recipe: of the features.
            manifest: of the shards.
            block_size: rows per block.
        """
        self.out, self._recipe, self._manifest = out, recipe, manifest
        self._folder = out.with_name(f".{out.name}.unfinished")
        self._samples, self._block_size = len(manifest), block_size
        self._arrays: list[np.memmap[Any, Any]] = []
        self._digests: dict[int, str] = {}

    @property
    def num_blocks(self) -> int:
        """Blocks of rows in all."""
        return -(-self._samples // self._block_size)

    def rows(self, block: int) -> npt.NDArray[np.int64]:
        """The rows of a block."""
        part = _block(block, self._block_size)
        return np.arange(part.start, min(part.stop, self._samples), dtype=np.int64)

    def begin(self, backbone: Backbone, settings: Mapping[str, object], *, overwrite: bool) -> list[int]:
        """Make the unfinished folder, or resume one of the same recipe.

        Args:
            backbone: whose weights are kept beside the features.
            settings: of the command, for `config.yaml`.
            overwrite: replace features of another recipe, finished or not.

        Returns:
            The blocks that are still to be computed; none where the finished store is there already.

        Raises:
            ArttlError: if `out` holds features of another recipe or is another kind of folder.
        """
        if self.out.exists():
            if not (self.out / _DESCRIPTION).is_file():
                raise ArttlError(f"{self.out} is not a features folder; choose another --out")
            finished = FeatureStore.open(self.out, verify=False).recipe
            if finished.key == self._recipe.key:
                return []
            if not overwrite:
                raise ArttlError(
                    f"{self.out} holds features of {self._recipe.difference(finished)}; choose another --out, or pass"
                    " --overwrite"
                )
        identity = {"key": self._recipe.key, "samples": self._samples, "block_size": self._block_size}
        begun = self._begun()
        if begun not in (None, identity) and not overwrite:
            raise ArttlError(
                f"{self._folder} holds an unfinished pass of other settings; give those again, or pass --overwrite"
            )
        with writing(self.out):
            if begun != identity:
                self._make(backbone, identity, settings)
            try:
                self._arrays = self._open_arrays()
            except (ValueError, EOFError, FileNotFoundError):  # damaged since: nothing of it can be resumed
                self._make(backbone, identity, settings)
                self._arrays = self._open_arrays()
            self._digests = self._finished_blocks()
            missing = [block for block in range(self.num_blocks) if block not in self._digests]
            if not missing:  # the earlier pass was killed after its last block
                self.finish()
        return missing

    def write(self, block: int, values: Sequence[npt.NDArray[np.float32]]) -> None:
        """Keep a block.

        Args:
            block: its number.
            values: [rows of the block, D] for each stage.
        """
        part = _block(block, self._block_size)
        with writing(self.out):
            for array, of_stage in zip(self._arrays, values, strict=True):
                array[part] = of_stage
                array.flush()
        self._digests[block] = _block_digest(self._arrays, part)
        # After the numbers are on the disk: a block that is listed is there.
        append_lines(self._folder / _BLOCKS, [json.dumps({"block": block, "sha256": self._digests[block]})])

    def finish(self) -> None:
        """Give the folder its name."""
        self._arrays.clear()
        description = {
            "format_version": FORMAT_VERSION,
            "key": self._recipe.key,
            "recipe": asdict(self._recipe),
            "block_size": self._block_size,
            "blocks": [self._digests[block] for block in range(self.num_blocks)],
        }
        write_json(self._folder / _DESCRIPTION, description)
        for name in (_BEGUN, _BLOCKS):
            remove(self._folder / name)
        commit(self._folder, self.out)

    def _begun(self) -> object:
        try:
            return read_json(self._folder / _BEGUN, dict[str, Any])
        except ArttlError:
            return None

    def _make(
        self, backbone: Backbone, identity: Mapping[str, object], settings: Mapping[str, object]
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for name in ("manifest.parquet", "dataset.json", NEAR_DUPLICATES_FILE):
            if (path := self._manifest.directory / name).is_file():
                write_bytes(self._folder / name, path.read_bytes())
        with whole_file(self._folder / _WEIGHTS) as temporary:
            save_tensors(temporary, backbone.state_dict())
        for stage, width in self._recipe.stages.items():
            self._make_array(_array_path(self._folder, self._recipe, stage), width)
        write_config(self._folder, settings)
        write_json(self._folder / _BEGUN, identity, indent=None)

    def _open_arrays(self) -> list[np.memmap[Any, Any]]:
        return [
            np.lib.format.open_memmap(_array_path(self._folder, self._recipe, stage), mode="r+")
            for stage in self._recipe.stages
        ]

    def _make_array(self, path: Path, width: int) -> None:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(self._samples, width))
        if hasattr(os, "posix_fallocate"):
            # A mapped file has holes, and where the disk is full a number written into one ends the process.
            with path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, array.offset + array.nbytes)

    def _finished_blocks(self) -> dict[int, str]:
        """The blocks that an earlier, killed pass has left, those left out whose numbers are not as listed."""
        digests = {}
        for line in read_lines(self._folder / _BLOCKS):
            try:
                entry = parse_json(line, BlockLine, _BLOCKS)
            except ArttlError:
                continue
            if _block_digest(self._arrays, _block(entry.block, self._block_size)) == entry.sha256:
                digests[entry.block] = entry.sha256
        return digests


def sha256_of_weights(backbone: Backbone) -> str:
    """SHA-256 over the names, types, shapes and bytes of a network's tensors."""
    digest = hashlib.sha256()
    for name, tensor in backbone.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _array_path(folder: Path, recipe: Recipe, stage: str) -> Path:
    # Numbered: a stage's name is a module's, which need not be a file name.
    return folder / f"stage-{list(recipe.stages).index(stage)}.npy"


def _block(number: int, size: int) -> slice:
    return slice(number * size, (number + 1) * size)


def _block_digest(arrays: Sequence[npt.NDArray[np.float32]], part: slice) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array[part]).data)
    return digest.hexdigest()
