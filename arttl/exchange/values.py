"""What is said of an object: suggestions of a model and decisions of persons, by whom or what, and of which picture."""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from arttl.errors import ArttlError, did_you_mean
from arttl.files import digest_of_file
from arttl.vocabularies.concepts import Concept

Status: TypeAlias = Literal["suggested", "unsure", "outside"]
"""What `arttl predict` calls a suggestion; see `docs/predict.md`."""
Verdict: TypeAlias = Literal["accepted", "corrected", "rejected"]
"""Of a person: the suggestion is right; it is wrong and this label is right; this label is wrong."""

FIELDS = ("material", "type", "artist", "technique")
"""What formats have a property for, whatever a task is called."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
# XML 1.0 has no other characters (2.2, Char).
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Model:
    """The model that suggested.

    Attributes:
        digest: SHA-256 of its weights, in hexadecimal; empty where it is not known.
        software: that it was run by.
    """

    digest: str = ""
    software: str = "arttl"

    @property
    def uri(self) -> str:
        """The digest as an address (RFC 6920, `ni`); empty where there is none."""
        if not self.digest:
            return ""
        encoded = base64.urlsafe_b64encode(bytes.fromhex(self.digest)).decode().rstrip("=")
        return f"ni:///sha-256;{encoded}"

    @property
    def name(self) -> str:
        """For people."""
        return f"a model of {self.software}" + (f", SHA-256 {self.digest}" if self.digest else "")


def digest_of_weights(folder: Path) -> str:
    """SHA-256 of a model's weights, in hexadecimal.

    Raises:
        ArttlError: as `weights_of`.
    """
    return digest_of_file(weights_of(folder))


def weights_of(folder: Path) -> Path:
    """The file of a model's weights. Torch, which takes seconds to load, is not needed to find that of a folder.

    Args:
        folder: or the address of a model at the Hugging Face Hub, which is fetched.

    Raises:
        ArttlError: if it is not the folder of a model, or of a run that made one, or cannot be fetched.
    """
    if str(folder).startswith("hf:/"):
        from arttl.models.hub import local_folder

        folder = local_folder(folder)
    for inside in (folder, folder / "best"):
        for name in ("model", "fused"):
            if all((inside / f"{name}{suffix}").is_file() for suffix in (".json", ".safetensors")):
                return inside / f"{name}.safetensors"
    raise ArttlError(f"--model {folder} is not the folder of a model, or of a run that made one")


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a picture or canvas, in its pixels or units, from the top left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Target:
    """What shows the object.

    Attributes:
        address: of an image, or of a canvas of IIIF.
        width, height: in pixels or the canvas' units; None: not known.
        region: where a model's map of the task is; None: all of it.
    """

    address: str
    width: int | None = None
    height: int | None = None
    region: Region | None = None

    def __post_init__(self) -> None:
        region = self.region
        if region is None:
            return
        if min(region.x, region.y) < 0 or min(region.width, region.height) < 1:
            raise ValueError("the region is not a rectangle of whole pixels")
        ends = ((region.x + region.width, self.width), (region.y + region.height, self.height))
        if any(size is not None and end > size for end, size in ends):
            raise ValueError(f"the region leaves the {self.width} x {self.height} of the target")


@dataclass(frozen=True, slots=True)
class Value:
    """A label of an object for one task: a suggestion (no verdict), or a decision.

    Attributes:
        object_number: as catalogued; empty where only the picture is known.
        task: of the model.
        label: itself.
        concepts: of vocabularies, at most one of each.
        institution: the museum that holds the object; empty where it is not known.
        picture: name of the photograph that was judged; empty where none was.
        probability: calibrated, 0 to 1, of the model; None where it gave none.
        status: that the model gave it; None for a label that it did not suggest.
        verdict: of a person; None for a suggestion that nobody has decided.
        who: decided, or empty.
        when: it was decided or suggested, a date or a time with its zone (ISO 8601), or empty; see `read_when`.
        model: that suggested this label or another one for this object and task; None: none did.
        target: of annotations; None: not known.
    """

    object_number: str
    task: str
    label: str
    concepts: tuple[Concept, ...] = ()
    institution: str = ""
    picture: str = ""
    probability: float | None = None
    status: Status | None = None
    verdict: Verdict | None = None
    who: str = ""
    when: str = ""
    model: Model | None = None
    target: Target | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether a person says that the label is right."""
        return self.verdict in ("accepted", "corrected")


Objects: TypeAlias = Iterable[tuple[Value, ...]]
"""The values of one object after the other; all writers of formats take them."""


def read_when(text: str) -> str:
    """A date, or a time with its zone, as formats have them.

    Returns:
        `2026-11-30` as it is; a time in UTC, such as `2026-11-30T08:15:00Z`, without fractions of a second.

    Raises:
        ValueError: for any other text; the message is the end of a sentence.
    """
    try:
        if _DATE.match(text):
            return datetime.date.fromisoformat(text).isoformat()
        # Python 3.10 does not know the Z.
        time = datetime.datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text))
        if time.tzinfo is not None:
            return time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"{text[:50]!r} is no date such as 2026-11-30, and no time with its zone such as 2026-11-30T09:15:00+01:00"
    )


def begin_and_end(when: str) -> tuple[str, str]:
    """The first and the last second of a date or a time of `read_when`, as `xsd:dateTime`."""
    return (f"{when}T00:00:00Z", f"{when}T23:59:59Z") if _DATE.match(when) else (when, when)


def task_fields(entries: Iterable[str], flag: str = "--fields") -> dict[str, str]:
    """Task name to its field, from entries `task=field`; tasks that are called like a field have it.

    Raises:
        ArttlError: for an entry of another form, or a field that is none of `FIELDS`.
    """
    fields = {field: field for field in FIELDS}
    for entry in entries:
        task, equals, field = entry.partition("=")
        if not equals or not task:
            raise ArttlError(f"{flag} {entry!r} is not of the form task=field")
        if field not in FIELDS:
            raise ArttlError(
                f"{flag} {entry!r}: there is no field {field!r}{did_you_mean(field, FIELDS)}; there are:"
                f" {', '.join(FIELDS)}"
            )
        fields[task] = field
    return fields


def accepted_by_field(values: Iterable[Value], fields: Mapping[str, str]) -> dict[str, list[Value]]:
    """The accepted values of an object by their field, each label once, in the order in which they come."""
    kept: dict[str, dict[str, Value]] = {}
    for value in values:
        if value.is_accepted and value.task in fields:
            kept.setdefault(fields[value.task], {}).setdefault(value.label, value)
    return {field: list(labels.values()) for field, labels in kept.items()}


def xml_text(text: str) -> str:
    """Text that XML can hold: any other character is U+FFFD."""
    return _NOT_IN_XML.sub("\ufffd", text)
