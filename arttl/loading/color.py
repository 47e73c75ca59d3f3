"""Random colour changes of training pictures: chosen here for both engines, which apply each in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COLOR_UNIFORMS = 4  # random numbers per sample: brightness, contrast, saturation, hue

_MIDDLE_GREY = 128.0  # unchanged by contrast, as in DALI's color_twist
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])  # NTSC 1953


@dataclass(frozen=True)
class ColorChange:
    """Colour changes of N pictures, each an affine map of red, green and blue, as in DALI's `color_twist`.

    Attributes:
        brightness: [N] float32, factor of all values.
        contrast: [N] float32, factor of their distance from middle grey.
        saturation: [N] float32, factor of their distance from the grey of the same luma.
        hue: [N] float32, rotation about the axis of greys in the YIQ colour space, in degrees.
    """

    brightness: npt.NDArray[np.float32]
    contrast: npt.NDArray[np.float32]
    saturation: npt.NDArray[np.float32]
    hue: npt.NDArray[np.float32]

    def matrices(self) -> npt.NDArray[np.float32]:
        """The maps, [N, 3, 4]: each new channel's weights of red, green and blue, and its offset (0 to 255)."""
        turn = np.deg2rad(self.hue.astype(np.float64))
        cosine, sine = self.saturation * np.cos(turn), self.saturation * np.sin(turn)
        chroma = np.zeros((len(turn), 3, 3))
        chroma[:, 0, 0] = 1
        chroma[:, 1, 1] = chroma[:, 2, 2] = cosine
        chroma[:, 1, 2], chroma[:, 2, 1] = sine, -sine
        gain = (self.brightness * self.contrast)[:, None, None]
        weights = gain * (np.linalg.inv(_YIQ) @ chroma @ _YIQ)  # [N, 3, 3]
        added = self.brightness * (1 - self.contrast) * _MIDDLE_GREY
        offset = np.broadcast_to(added[:, None, None], (len(turn), 3, 1))
        return np.concatenate([weights, offset], axis=2).astype(np.float32)


def random_color(
    brightness: float, contrast: float, saturation: float, hue: float, uniforms: npt.NDArray[np.float64]
) -> ColorChange:
    """Random factors and angles, distributed as in torchvision's ColorJitter.

    Args:
        brightness: b: the factor is uniform in [max(0, 1 - b), 1 + b].
        contrast, saturation: see `brightness`.
        hue: the angle is uniform in [-hue, hue], in turns.
        uniforms: [N, COLOR_UNIFORMS] in [0, 1).
    """

    def factor(strength: float, column: int) -> npt.NDArray[np.float32]:
        least = max(0.0, 1 - strength)
        return (least + (1 + strength - least) * uniforms[:, column]).astype(np.float32)

    return ColorChange(
        factor(brightness, 0),
        factor(contrast, 1),
        factor(saturation, 2),
        (360 * hue * (2 * uniforms[:, 3] - 1)).astype(np.float32),
    )
