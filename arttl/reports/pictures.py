"""The pictures of cards: read and scaled by threads, mapped by the model in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from PIL import Image

from arttl.cpu import usable_cores
from arttl.models import MultiTaskModel
from arttl.pictures.decoding import BadPicture
from arttl.reports.cards import Card
from arttl.reports.thumbnails import SIDE, map_over, thumbnail
from arttl.saliency.class_maps import class_index
from arttl.saliency.maps import BATCH, AnyMethod, form_of, maps_of, to_device, usual_method
from arttl.suggesting.pictures import PredictedPictures


@dataclass(frozen=True)
class PicturedCard:
    """A card with its picture.

    Attributes:
        card: itself.
        thumbnail: WebP; None: there is none.
        size: its width and height.
        heat: a map over it, WebP; None: there is none.
        mapped: what the map shows; empty: there is none.
    """

    card: Card
    thumbnail: bytes | None = None
    size: tuple[int, int] = (0, 0)
    heat: bytes | None = None
    mapped: str = ""


@dataclass(frozen=True)
class _Read:
    thumbnail: bytes
    size: tuple[int, int]
    picture: Image.Image
    image: torch.Tensor | None


class CardPictures:
    """Gives cards their pictures.

    Attributes:
        missing: why cards have none, with counts.
    """

    def __init__(self, pictures: PredictedPictures | None, model: MultiTaskModel | None) -> None:
        """Take where pictures are.

        Args:
            pictures: None: cards have none.
            model: whose maps are laid over them; None: no maps.
        """
        self.missing: Counter[str] = Counter()
        self._pictures = pictures
        self._model = None if model is None or pictures is None else to_device(model)
        self._method: AnyMethod | None = None
        self._cover = SIDE if self._model is None else max(SIDE, 2 * self._model.preprocess.resize_to)

    def of(self, cards: Iterable[Card]) -> Iterator[PicturedCard]:
        """The cards in their order, with their pictures."""
        if self._pictures is None:
            yield from map(PicturedCard, cards)
            return
        remaining = iter(cards)
        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="arttl-thumbnail") as pool:
            while batch := list(islice(remaining, BATCH)):
                yield from self._finished(batch, list(pool.map(self._read, batch)))

    def _read(self, card: Card) -> _Read | str:
        """A card's picture, or why there is none."""
        assert self._pictures is not None
        if not card.picture:
            return "no name of a picture"
        try:
            picture = self._pictures.read(card.picture, cover=self._cover).rgb
        except BadPicture as error:
            return f"{error.reason}: {error.detail}"
        data, size = thumbnail(picture)
        image = None if self._model is None else self._model.preprocess.apply(np.array(picture))
        return _Read(data, size, picture, image)

    def _finished(self, batch: Sequence[Card], pictures: Sequence[_Read | str]) -> Iterator[PicturedCard]:
        images = [read.image for read in pictures if isinstance(read, _Read) and read.image is not None]
        read_cards = [card for card, read in zip(batch, pictures, strict=True) if isinstance(read, _Read)]
        maps: Iterator[tuple[torch.Tensor, str]] = iter(())
        if images and self._model is not None:
            maps = iter(self._maps(self._model, read_cards, torch.stack(images)))
        for card, read in zip(batch, pictures, strict=True):
            if isinstance(read, str):
                self.missing[read] += 1
                yield PicturedCard(card)
                continue
            heat, mapped = None, ""
            if self._model is not None:
                values, mapped = next(maps)
                heat = map_over(values.numpy(), read.picture, self._model.preprocess)
            yield PicturedCard(card, read.thumbnail, read.size, heat, mapped)

    def _maps(
        self, model: MultiTaskModel, cards: Sequence[Card], images: torch.Tensor
    ) -> list[tuple[torch.Tensor, str]]:
        """The map of each card and what it shows: of its first claim, where the network has maps of classes."""
        if self._method is None:
            self._method, _ = usual_method(model, [images])
        method = self._method
        claims = [None if method == "visual-backprop" else _first_claim(model, card) for card in cards]
        form = form_of(model.backbone, method)
        of_tokens = "" if form == "class-map" else f" ({form})"
        # Gradient-weighted attention hardly differs from label to label: `docs/explanations.md`.
        says = "what speaks for {}" if method == "class-map" else "what {} is predicted from"
        maps = [(torch.empty(0), "")] * len(cards)
        for task in dict.fromkeys(None if claim is None else claim[0] for claim in claims):
            own = [
                index for index, claim in enumerate(claims) if task == (None if claim is None else claim[0])
            ]
            labels = [claim[1] for claim in claims if claim is not None and claim[0] == task]
            if task is None:
                heats = maps_of(model, images[own], "visual-backprop")
            else:
                classes = torch.tensor([class_index(model, task, label) for label in labels])
                heats = maps_of(model, images[own], method, task=task, classes=classes)
            names = [says.format(f"{task}: {label}") + of_tokens for label in labels]
            names = names or [f"{form_of(model.backbone, 'visual-backprop')}, the same for all labels"] * len(
                own
            )
            for index, heat, name in zip(own, heats, names, strict=True):
                maps[index] = (heat, name)
        return maps


def _first_claim(model: MultiTaskModel, card: Card) -> tuple[str, str] | None:
    """The task and label of a card's first claim that the model can explain."""
    for claim in card.claims:
        if claim.task in model.tasks and model.tasks[claim.task].kind != "number":
            classes = model.tasks[claim.task].vocabulary.classes
            for label in claim.labels:
                if label in classes:
                    return claim.task, label
    return None
