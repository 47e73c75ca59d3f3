"""How the colours of training pictures vary: drawn here, for both engines, and applied by each in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COLOR_UNIFORMS = 4  # random numbers a sample needs: brightness, contrast, saturation, hue

_MIDDLE_GREY = 128.0  # what contrast leaves as it is, as in DALI's color_twist
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])  # NTSC 1953


@dataclass(frozen=True)
class ColorChange:
    """How the colours of N pictures are changed, by DALI's `color_twist`: one affine map of red, green and blue.

    Attributes:
        brightness: [N] float32, what all values are multiplied by.
        contrast: [N] float32, what their distance from middle grey is multiplied by.
        saturation: [N] float32, what their distance from the grey of the same luma is multiplied by.
        hue: [N] float32, degrees that they are turned by about the axis of greys, in the YIQ colour space.
    """

    brightness: npt.NDArray[np.float32]
    contrast: npt.NDArray[np.float32]
    saturation: npt.NDArray[np.float32]
    hue: npt.NDArray[np.float32]

    def matrices(self) -> npt.NDArray[np.float32]:
        """Those maps, [N, 3, 4]: each new channel's weights of red, green and blue, and what is added (0 to 255)."""
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
    """Factors and angles as torchvision's ColorJitter draws them.

    Args:
        brightness: b: the factor is uniform in [max(0, 1 - b), 1 + b]; contrast and saturation alike.
        contrast: see `brightness`.
        saturation: see `brightness`.
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
