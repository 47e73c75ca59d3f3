"""Preprocess: the one description of what happens to a picture between the shard and the network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin

import cattrs
import numpy as np
import numpy.typing as npt
import torch

from arttl.errors import ArttlError, did_you_mean
from arttl.loading.color import ColorChange, random_color
from arttl.loading.geometry import Geometry, centre_geometry, random_geometry
from arttl.loading.ops import crop_resize_normalise
from arttl.loading.resample import FILTERS, cuts

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Fit = Literal["crop", "squash"]
Filter = Literal["bilinear", "bicubic", "nearest"]


@dataclass(frozen=True)
class Augment:
    """What training varies: random-resized crops, mirroring and, where asked, colours."""

    scale: tuple[float, float] = (0.35, 1.0)
    """Smallest and largest share of the picture's area that a crop covers."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Smallest and largest ratio of a crop's width to its height."""
    flip: float = 0.5
    """Probability that a picture is mirrored left to right."""
    brightness: float = 0.0
    """b: all values are multiplied by a factor between max(0, 1 - b) and 1 + b, as in torchvision's ColorJitter."""
    contrast: float = 0.0
    """Their distance from middle grey is multiplied by such a factor."""
    saturation: float = 0.0
    """Their distance from the grey of the same luma is multiplied by such a factor."""
    hue: float = 0.0
    """Colours are rotated about the axis of greys by up to this share of a circle, either way; at most 0.5."""

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ArttlError(
                f"the crop scale {_span(self.scale)} must be two ascending shares above 0 and up to 1"
            )
        if not 0 < self.ratio[0] <= self.ratio[1] < math.inf:
            raise ArttlError(f"the crop ratio {_span(self.ratio)} must be two ascending numbers above 0")
        if not 0 <= self.flip <= 1:
            raise ArttlError(f"the flip probability {self.flip} must be between 0 and 1")
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArttlError(f"the {name} {getattr(self, name)} must be a number of at least 0")
        if not 0 <= self.hue <= 0.5:
            raise ArttlError(f"the hue {self.hue} must be between 0 and 0.5")

    @property
    def color(self) -> dict[str, float]:
        """The colour changes by name, those with a strength above 0."""
        names = ("brightness", "contrast", "saturation", "hue")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@dataclass(frozen=True)
class Preprocess:
    """Decode, resize, crop, normalise: applied by both engines and to single pictures, saved with every model.

    Without `augment` it is the evaluation transform, which is deterministic.
    """

    size: int = 224
    """Side of the square that the network sees, in pixels."""
    crop_pct: float = 0.875
    """The shorter side is resized to round(size / crop_pct) before the middle is cut out."""
    fit: Fit = "crop"
    """crop keeps the proportions, squash resizes both sides alike; the middle is cut out of either."""
    filter: Filter = "bicubic"
    """How pixels are interpolated, as in Pillow: bilinear and bicubic with antialias, nearest takes single pixels."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Subtracted from red, green and blue, on the scale of 0 to 1."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Divisors of red, green and blue, after the subtraction."""
    augment: Augment | None = None
    """Random crops, mirroring and colours instead of the resize and the centre crop."""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 8192:
            raise ArttlError(f"the input size {self.size} must be between 1 and 8192 pixels")
        if not 0.1 <= self.crop_pct <= 1:
            raise ArttlError(f"crop_pct {self.crop_pct} must be between 0.1 and 1")
        if self.fit not in ("crop", "squash") or self.filter not in FILTERS:
            raise ArttlError(
                f"fit {self.fit!r} must be crop or squash, and filter {self.filter!r} bilinear, bicubic or nearest"
            )
        if not all(map(math.isfinite, (*self.mean, *self.std))) or min(self.std) <= 0:
            raise ArttlError(
                f"mean {_values(self.mean)} and std {_values(self.std)} must be finite, std above 0"
            )

    def __str__(self) -> str:
        if self.augment:
            steps = [
                f"random crop of {_span(self.augment.scale)} of the area, ratio {_span(self.augment.ratio)}",
                f"resize to {self.size} {self.filter}",
                f"flip {self.augment.flip:g}",
            ]
            if self.augment.color:
                steps.append(" ".join(f"{name} {value:g}" for name, value in self.augment.color.items()))
        else:
            side = self.resize_to
            target = f"shorter side to {side}" if self.fit == "crop" else f"to {side}x{side}"
            steps = [f"resize {target} {self.filter}"]
            if self.fit == "crop" or self.resize_to > self.size:
                steps.append(f"centre crop {self.size}")
        return " | ".join(["decode", *steps, f"normalise mean {_values(self.mean)} std {_values(self.std)}"])

    @property
    def resize_to(self) -> int:
        """The shorter side after the resize of the evaluation transform, in pixels."""
        return round(self.size / self.crop_pct)

    def without_augmentation(self) -> Preprocess:
        """The evaluation transform of the same size and scaling."""
        return replace(self, augment=None)

    def geometry(
        self, sizes: npt.NDArray[np.integer], uniforms: npt.NDArray[np.float64] | None = None
    ) -> Geometry:
        """How the squares of pictures are cut.

        Args:
            sizes: [N, 2], height and width of the stored pictures.
            uniforms: [N, arttl.loading.geometry.UNIFORMS] random numbers for `augment`; None gives the
                evaluation transform.
        """
        reduce = self.filter != "nearest"  # a reduced decode is a mean of pixels
        if self.augment is None or uniforms is None:
            squash = self.fit == "squash"
            return centre_geometry(sizes, self.size, self.resize_to, squash=squash, reduce=reduce)
        scale, ratio, flip = self.augment.scale, self.augment.ratio, self.augment.flip
        return random_geometry(sizes, self.size, scale, ratio, flip, uniforms, reduce=reduce)

    @property
    def varies_color(self) -> bool:
        """Whether `augment` changes colours."""
        return self.augment is not None and bool(self.augment.color)

    def color_change(self, uniforms: npt.NDArray[np.float64]) -> ColorChange | None:
        """How the colours of pictures are changed; None where `augment` does not change them.

        Args:
            uniforms: [N, arttl.loading.color.COLOR_UNIFORMS] random numbers.
        """
        augment = self.augment
        if augment is None or not augment.color:
            return None
        return random_color(augment.brightness, augment.contrast, augment.saturation, augment.hue, uniforms)

    def apply(self, rgb: npt.NDArray[np.uint8]) -> torch.Tensor:
        """The evaluation transform of one decoded picture; `augment` is ignored.

        Args:
            rgb: [H, W, 3] uint8.

        Returns:
            [3, size, size] float32 on the CPU, channels last in memory.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
            raise ValueError(f"a picture is [H, W, 3] uint8, not {list(rgb.shape)} {rgb.dtype}")
        cut = cuts(replace(self.geometry(np.array([rgb.shape[:2]])), reduction=np.ones(1, np.int64)))
        part, start, step = cut.part[0].tolist(), cut.start[0].tolist(), cut.step[0].tolist()
        picture = torch.from_numpy(np.require(rgb, None, ["C", "W"]))  # torch warns of read-only arrays
        square = crop_resize_normalise(
            picture, part, start, step, self.size, self.filter, False, [], self.mean, self.std, torch.float32
        )
        return square.permute(2, 0, 1)

    def denormalise(self, images: torch.Tensor) -> npt.NDArray[np.uint8]:
        """The pictures that normalised images show.

        Args:
            images: [B, 3, H, W] float, on any device.

        Returns:
            [B, H, W, 3] uint8, values out of range clipped.
        """
        values = images.detach().float().cpu().permute(0, 2, 3, 1)
        values = (values * torch.tensor(self.std) + torch.tensor(self.mean)) * 255
        return values.round().clamp(0, 255).to(torch.uint8).numpy()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return dict(_CONVERTER.unstructure(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocess:
        """The inverse of `to_dict`; missing settings take their defaults.

        Raises:
            ArttlError: for an unknown setting, or a value that a setting cannot have.
        """
        if not isinstance(data, Mapping):
            raise ArttlError(f"the preprocessing is not a table of settings but {type(data).__name__}")
        augment = {} if data.get("augment") is None else data["augment"]
        if not isinstance(augment, Mapping):
            raise ArttlError(f"the preprocessing's augment is not a table of settings but {augment!r}")
        for kind, keys in ((cls, data), (Augment, augment)):
            names = [field.name for field in fields(kind)]
            for key in keys:
                if key not in names:
                    close = did_you_mean(str(key), names)
                    raise ArttlError(f"the preprocessing has an unknown setting {key!r}{close}")
        try:
            return _CONVERTER.structure(data, cls)
        except cattrs.BaseValidationError as error:
            reason = cattrs.transform_error(error, format_exception=lambda cause, _: str(cause))[0]
            cause, _, setting = reason.rpartition(" @ $")
            setting = f"{setting[1:]}: " if setting else ""
            cause = " ".join(cause.split())[:200]
            raise ArttlError(f"the preprocessing cannot be used: {setting}{cause}") from error


def _strict_int(value: object, _: type) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _strict_float(value: object, _: type) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"{value!r} is not a number")
    return float(value)  # type: ignore[arg-type]


def _strict_tuple(value: object, kind: type) -> tuple[float, ...]:
    count = len(get_args(kind))
    if not isinstance(value, list | tuple) or len(value) != count:
        raise ValueError(f"{value!r} is not a list of {count} numbers")
    return tuple(_strict_float(item, float) for item in value)


_CONVERTER = cattrs.Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
_CONVERTER.register_structure_hook(int, _strict_int)
_CONVERTER.register_structure_hook(float, _strict_float)
_CONVERTER.register_structure_hook_func(lambda kind: get_origin(kind) is tuple, _strict_tuple)


def _values(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else " ".join(f"{value:g}" for value in values)


def _span(span: tuple[float, float]) -> str:
    return f"{span[0]:.3g} to {span[1]:.3g}"
