"""Predictions and suggestions in Python, for pictures of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from arttl.artworks import Artwork
from arttl.cpu import usable_cores
from arttl.errors import ArttlError
from arttl.inference.picture_files import FileBatch, read_batches
from arttl.inference.predict import FEATURES, WithFeatures, finite_logits, predict_with_features
from arttl.inference.predictions import Predictions
from arttl.inference.promises import Promises
from arttl.inference.suggestions import Suggester, Suggestion
from arttl.loading import Loader
from arttl.matching.listing import list_pictures
from arttl.models import FusedModel, MultiTaskModel, TrainedModel
from arttl.models.folders import find_model_folder
from arttl.models.hub import local_folder
from arttl.models.multitask import model_folder
from arttl.pictures.picture_file import PictureFile
from arttl.records.reading import readable

Picture: TypeAlias = str | Path | Image.Image | Artwork
Pictures: TypeAlias = Picture | torch.Tensor | Loader | Iterable[Picture]

_BATCH = 64


class _Suggesting(TrainedModel):
    """A model that suggests labels, read from a folder with promises."""

    @cached_property
    def promises(self) -> Promises | None:
        """What its folder promises; None where it has no promises."""
        return None if self.folder is None else Promises.load(self.folder, self.tasks)

    def suggest(
        self, picture: Picture, *, precision: float = 0.9, sets: float | None = None, top: int = 5
    ) -> dict[str, Suggestion]:
        """The suggestions for one picture.

        Args:
            picture: a path, a picture of Pillow, or an artwork.
            precision: least share of suggestions that are right, 0 to 1.
            sets: share of objects whose set of candidates holds the right label; None: no sets.
            top: how many labels are ranked.

        Returns:
            Task name to suggestion.

        Raises:
            ArttlError: if the picture cannot be read.
        """
        outputs = _outputs(self, picture)
        suggester = Suggester(
            self.tasks,
            self.temperatures,
            self.promises,
            precision=precision,
            coverage=sets,
            top=top,
        )
        (suggestions,) = suggester.suggest(outputs.logits, outputs.features)
        return suggestions


class SuggestingModel(_Suggesting, MultiTaskModel):
    """A multi-task model as `arttl.load_model` gives it."""


class SuggestingFusedModel(_Suggesting, FusedModel):
    """A fused model as `arttl.load_model` gives it."""


def load_model(folder: str | Path) -> SuggestingModel | SuggestingFusedModel:
    """Load a saved model, of one network or fused; it needs nothing of the run that made it.

    Args:
        folder: a model's folder, a run folder, or the address of a model at the Hugging Face Hub, `hf://OWNER/NAME` or
            `hf://OWNER/NAME@REVISION`.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ArttlError: if there is no model, or one that does not fit its own description, or it cannot be fetched.
    """
    path = local_folder(folder)
    if (fused := find_model_folder(path, FusedModel.file_name)) is not None:
        return SuggestingFusedModel.read(fused)
    return SuggestingModel.read(model_folder(path))


def predict(model: TrainedModel, pictures: Pictures) -> Predictions:
    """Predict all tasks of a model.

    Args:
        model: in evaluation mode; left on its device.
        pictures: a path, of a picture or of a folder of them; a picture of Pillow; an artwork; any number of these; a
            tensor [B, 3, H, W], of RGB pictures where it is uint8, and where it is floating-point of the network's own
            input, normalised; or a loader with the model's preprocessing.

    Returns:
        The predictions, calibrated where the model is, with what artworks and manifests say of the pictures; keys of
        other pictures are their names or numbers.

    Raises:
        ArttlError: if a picture cannot be read, naming it.
    """
    if isinstance(pictures, Loader):
        if {*model.preprocesses} != {pictures.preprocess}:
            raise ArttlError(
                f"the loader prepares pictures as {pictures.preprocess}, and the model takes {model.preprocesses[0]}:"
                " open it with preprocess=model.preprocesses[0]"
            )
        inputs = len(model.preprocesses)
        predictions, _ = predict_with_features(
            model, ((batch,) * inputs for batch in pictures), pictures.manifest
        )
        return predictions.calibrated(model.calibration)
    outputs = _outputs(model, pictures)
    return Predictions(
        tasks=model.tasks,
        rows=np.arange(len(outputs.names), dtype=np.int64),
        keys=[artwork.key if artwork else name for name, artwork in outputs.named()],
        object_numbers=[artwork.object_number if artwork else name for name, artwork in outputs.named()],
        catalogued={
            task: [artwork.labels.get(task) if artwork else None for artwork in outputs.artworks]
            for task in model.tasks.names
        },
        logits=outputs.logits,
        institutions=[artwork.institution if artwork else None for artwork in outputs.artworks],
    ).calibrated(model.calibration)


@dataclass(frozen=True)
class _Outputs:
    """Logits by task [N, Q] and features [N, D] of N pictures, with their names and artworks."""

    names: list[str]
    artworks: list[Artwork | None]
    logits: dict[str, npt.NDArray[np.float32]]
    features: torch.Tensor

    def named(self) -> Iterator[tuple[str, Artwork | None]]:
        return zip(self.names, self.artworks, strict=True)


@torch.inference_mode()
def _outputs(model: TrainedModel, pictures: Picture | torch.Tensor | Iterable[Picture]) -> _Outputs:
    network = WithFeatures(model)
    device = next(model.parameters()).device
    names: list[str] = []
    artworks: list[Artwork | None] = []
    parts: dict[str, list[torch.Tensor]] = {}
    for images, of_batch in _batches(model, pictures):
        for name, artwork in of_batch:
            names.append(name)
            artworks.append(artwork)
        for task, output in network(*[each.to(device) for each in images]).items():
            parts.setdefault(task, []).append(output)
    if not names:
        raise ArttlError("there are no pictures to predict")
    outputs = {task: torch.cat(of_task) for task, of_task in parts.items()}
    features = outputs.pop(FEATURES)
    return _Outputs(names, artworks, finite_logits(outputs), features)


_Named: TypeAlias = list[tuple[str, Artwork | None]]


def _batches(
    model: TrainedModel, pictures: Picture | torch.Tensor | Iterable[Picture]
) -> Iterator[tuple[Sequence[torch.Tensor], _Named]]:
    """The inputs of the model for each batch, and what the pictures are called."""
    if isinstance(pictures, torch.Tensor):
        if pictures.ndim != 4 or pictures.shape[1] != 3:
            raise ArttlError(f"a tensor of pictures is [B, 3, H, W], not {[*pictures.shape]}")
        if pictures.is_floating_point():
            if len({*model.preprocesses}) > 1:
                raise ArttlError("the model's networks take pictures of several sizes: give uint8 pictures")
            for start in range(0, len(pictures), _BATCH):
                part = pictures[start : start + _BATCH]
                yield [part] * len(model.preprocesses), [(str(start + i), None) for i in range(len(part))]
            return
        pictures = [Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()) for picture in pictures]
    files = enumerate(_each(pictures))
    named: dict[int, tuple[str, Artwork | None]] = {}

    def batches() -> Iterator[FileBatch]:
        batch: dict[int, PictureFile | Image.Image | str] = {}
        for number, picture in files:
            artwork = picture if isinstance(picture, Artwork) else None
            if isinstance(picture, Image.Image):
                named[number] = getattr(picture, "filename", "") or str(number), None
                batch[number] = picture
            else:
                named[number] = str(artwork.image if artwork else picture), artwork
                batch[number] = (
                    PictureFile.of(picture) if isinstance(picture, Artwork) else PictureFile(Path(picture))
                )
            if len(batch) == _BATCH:
                yield FileBatch(0, batch)
                batch = {}
        if batch:
            yield FileBatch(0, batch)

    for batch, images, problems in read_batches(batches(), model.preprocesses, usable_cores()):
        for number, problem in problems.items():
            raise ArttlError(f"{named[number][0]}: {problem}")
        yield images, [named.pop(number) for number in batch.files]


def _each(pictures: Picture | Iterable[Picture]) -> Iterator[Picture]:
    if isinstance(pictures, (str, Path)) and (folder := Path(pictures)).is_dir():
        with readable(folder, "the folder"):
            yield from (folder / entry.name for entry in list_pictures(folder) if not entry.passed_over_as)
    elif isinstance(pictures, (str, Path, Image.Image, Artwork)):
        yield pictures
    else:
        yield from pictures
