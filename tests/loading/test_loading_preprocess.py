from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_pictures import textured
from PIL import Image
from torchvision.transforms import v2

from arttl.errors import ArttlError
from arttl.loading import Augment, Preprocess, preprocess

HALF = (0.5, 0.5, 0.5)
MODES = {"bilinear": v2.InterpolationMode.BILINEAR, "bicubic": v2.InterpolationMode.BICUBIC}


def test_it_prints_itself_in_one_line() -> None:
    assert str(Preprocess(mean=HALF, std=HALF)) == (
        "decode | resize shorter side to 256 bicubic | centre crop 224 | normalise mean 0.5 std 0.5"
    )
    assert str(Preprocess(fit="squash", crop_pct=1.0, filter="bilinear", size=299)) == (
        "decode | resize to 299x299 bilinear | normalise mean 0.485 0.456 0.406 std 0.229 0.224 0.225"
    )
    assert str(Preprocess(size=192, mean=HALF, std=HALF, augment=Augment(scale=(0.08, 1)))) == (
        "decode | random crop of 0.08 to 1 of the area, ratio 0.75 to 1.33 | resize to 192 bicubic | flip 0.5"
        " | normalise mean 0.5 std 0.5"
    )
    assert "| flip 0.5 | brightness 0.4 hue 0.1 | normalise" in str(
        Preprocess(augment=Augment(brightness=0.4, hue=0.1))
    )


unit = st.floats(0.01, 1)
colours = st.tuples(unit, unit, unit)
augments = st.builds(
    Augment,
    scale=st.tuples(unit, unit).map(sorted).map(tuple),
    ratio=st.tuples(unit, unit).map(sorted).map(tuple),
    flip=st.floats(0, 1),
    brightness=st.floats(0, 2),
    saturation=st.floats(0, 2),
    hue=st.floats(0, 0.5),
)
specs = st.builds(
    Preprocess,
    size=st.integers(1, 600),
    crop_pct=st.floats(0.1, 1),
    fit=st.sampled_from(["crop", "squash"]),
    filter=st.sampled_from(["bilinear", "bicubic", "nearest"]),
    mean=colours,
    std=colours,
    augment=st.none() | augments,
)


@given(specs)
@settings(deadline=None)
def test_it_survives_json(spec: Preprocess) -> None:
    assert Preprocess.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert spec.without_augmentation().to_dict() == {**spec.to_dict(), "augment": None}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sise": 224}, "unknown setting 'sise' (did you mean 'size'?)"),
        ({"augment": {"flop": 1}}, "unknown setting 'flop' (did you mean 'flip'?)"),
        ({"augment": 3}, "augment"),
        ({"size": "224"}, "size: '224' is not a whole number"),
        ({"size": 2.5}, "size: 2.5 is not a whole number"),
        ({"size": True}, "size: True is not a whole number"),
        ({"size": 0}, "the input size 0"),
        ({"size": 10**9}, "the input size"),
        ({"mean": [0.5, 0.5]}, "mean: [0.5, 0.5] is not a list of 3 numbers"),
        ({"mean": "abc"}, "mean"),
        ({"std": [0.1, 0, 0.1]}, "std above 0"),
        ({"std": [0.1, math.nan, 0.1]}, "std above 0"),
        ({"std": ["0.1", 0.1, 0.1]}, "std: '0.1' is not a number"),
        ({"filter": "lanczos"}, "filter: lanczos not in literal"),
        ({"crop_pct": 0}, "crop_pct 0"),
        ({"augment": {"scale": [0.9, 0.1]}}, "augment: the crop scale 0.9 to 0.1"),
        ({"augment": {"ratio": [0, 1]}}, "augment: the crop ratio 0 to 1"),
        ({"augment": {"flip": 2}}, "augment: the flip probability 2"),
        ({"augment": {"contrast": -1}}, "augment: the contrast -1"),
        ({"augment": {"brightness": math.nan}}, "augment: the brightness nan"),
        ({"augment": {"hue": 0.6}}, "augment: the hue 0.6"),
        ([], "not a table of settings"),
    ],
)
def test_settings_that_cannot_be_are_named(data: object, message: str) -> None:
    with pytest.raises(ArttlError) as caught:
        Preprocess.from_dict(data)  # type: ignore[arg-type]
    assert message in str(caught.value) and "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["size", "mean", "std", "augment", "scale", "flip", "fit", "other"]), x
            )
        ),
    )
)
@settings(max_examples=40, deadline=None)
def test_any_json_is_a_spec_or_an_error_of_ours(data: object) -> None:
    try:
        Preprocess.from_dict(data)  # type: ignore[arg-type]
    except ArttlError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("shape", [(300, 400), (401, 299), (256, 256), (100, 90), (37, 140), (900, 700)])
@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_the_evaluation_transform_is_torchvisions_over_pillow(
    shape: tuple[int, int], filter: str, fit: str
) -> None:
    picture = textured(sum(shape), *shape)
    spec = Preprocess(size=96, filter=filter, fit=fit, mean=HALF, std=HALF)  # type: ignore[arg-type]
    size = [110] if fit == "crop" else [110, 110]
    expected = v2.CenterCrop(96)(v2.Resize(size, MODES[filter], antialias=True)(picture))
    actual = spec.denormalise(spec.apply(np.asarray(picture))[None])[0]
    difference = np.abs(actual.astype(int) - np.asarray(expected).astype(int))
    assert difference.mean() < 0.25 and difference.max() <= 2  # Pillow rounds after each of its two passes


def test_nearest_squashed_is_pillows() -> None:
    """What Keras of 2018 did: `load_img(target_size=...)`."""
    picture = textured(5, 300, 417)
    spec = Preprocess(size=224, crop_pct=1.0, fit="squash", filter="nearest", mean=HALF, std=HALF)
    assert str(spec).startswith("decode | resize to 224x224 nearest | normalise")
    actual = spec.denormalise(spec.apply(np.asarray(picture))[None])[0]
    assert np.array_equal(actual, np.asarray(picture.resize((224, 224), Image.Resampling.NEAREST)))


def test_the_kernel_is_what_makes_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocess, "crop_resize_normalise", lambda *arguments: torch.zeros(32, 32, 3))
    assert not Preprocess(size=32).apply(np.asarray(textured(2, 80, 120))).any()
    monkeypatch.undo()
    assert Preprocess(size=32).apply(np.asarray(textured(2, 80, 120))).any()


def test_normalisation_equals_double_precision() -> None:
    spec = Preprocess(size=32)
    for grey in (0, 1, 100, 254, 255):
        actual = spec.apply(np.full((40, 50, 3), [grey, grey // 2, 255 - grey], np.uint8))
        assert actual.shape == (3, 32, 32) and actual.dtype == torch.float32
        for channel, value in enumerate((grey, grey // 2, 255 - grey)):
            expected = (value / 255 - spec.mean[channel]) / spec.std[channel]
            assert actual[channel].numpy() == pytest.approx(expected, abs=2e-6)


def test_denormalise_gives_back_the_pixels_and_clips() -> None:
    spec = Preprocess(size=64, crop_pct=1.0)
    picture = np.asarray(textured(1, 64, 64))
    assert np.array_equal(spec.denormalise(spec.apply(picture)[None])[0], picture)
    assert np.array_equal(spec.denormalise(spec.apply(picture)[None].bfloat16())[0].shape, (64, 64, 3))
    wild = torch.tensor([-9.0, 9.0]).reshape(2, 1, 1, 1).expand(2, 3, 2, 2)
    assert spec.denormalise(wild).ravel().tolist() == [0] * 12 + [255] * 12


def test_augment_plays_no_part_for_a_single_picture() -> None:
    picture = np.asarray(textured(2, 80, 120))
    plain = Preprocess(size=32)
    assert torch.equal(plain.apply(picture), Preprocess(size=32, augment=Augment()).apply(picture))


def test_a_line_of_pixels_is_a_picture() -> None:
    line = np.asarray(Image.linear_gradient("L").resize((30_000, 1)).convert("RGB"))
    assert Preprocess(size=224).apply(line).shape == (3, 224, 224)
    assert Preprocess(size=224).apply(line.transpose(1, 0, 2)).shape == (3, 224, 224)


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        Preprocess().apply(array)
