"""IIIF manifests as saved files: the metadata pairs of each are its labels, its first canvas is its picture.

No address is opened: `arttl fetch iiif` downloads manifests and pictures into the folders that are read here. Example
of a manifest (Presentation API 3), for `--tasks material=Medium artist=Creator`:

    {"id": "https://museum.example/iiif/27992/manifest", "type": "Manifest", "label": {"en": ["A landscape"]},
     "metadata": [{"label": {"en": ["Medium"], "nl": ["Materiaal"]},
                   "value": {"en": ["oil on canvas"], "nl": ["olieverf op doek"]}}],
     "items": [{"type": "Canvas", "items": [{"type": "AnnotationPage", "items": [{"type": "Annotation",
       "motivation": "painting", "body": {"type": "Image", "service": [
         {"id": "https://museum.example/image/27992", "type": "ImageService3", "profile": "level2"}]}}]}]}]}

The columns are the labels of the pairs, in any of the languages that they are given in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from arttl.artworks import Artwork, sample_key
from arttl.attribution.persons import in_roles, in_text, labels_of
from arttl.attribution.qualifiers import Maker, Qualifiers, attributions
from arttl.errors import ArttlError, did_you_mean
from arttl.iiif.labels import (
    USUAL_DATES,
    USUAL_LABELS,
    USUAL_NUMBERS,
    Labels,
    first_text,
    institution_of,
    is_of_vocabulary,
    is_usual,
    usual_texts,
)
from arttl.iiif.manifest import Kind, Manifest, kind_of, read_info, read_manifest, read_references
from arttl.iiif.pictures import Canvas, Picture
from arttl.iiif.resources import is_web_address, object_numbers
from arttl.iiif.text import Text, Texts, in_language, plain_language
from arttl.records.json_records import read_documents
from arttl.shards.rejects import Reason, Reject
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

S = TypeVar("S", bound=SourceSettings)

TASKS = tuple(USUAL_LABELS)

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LINE_SEPARATORS = ("<br>", "<br/>", "<br />", "\n", "\\n")
_MANIFESTS_LOOKED_AT = 200  # for labels with usual names
_LABELS_SHOWN = 20
_MOST_LABELS = 1000


def guess_labels(settings: S) -> tuple[S, list[str]]:
    """Settings with the tasks that were not named, where the first manifests have pairs with usual labels.

    Returns:
        The settings, and a sentence on what was guessed, if anything was.

    Raises:
        ArttlError: if the metadata cannot be read, or no pair has a usual label.
    """
    if settings.metadata is None or settings.tasks:
        return settings, []
    known: dict[str, None] = {}
    shown: Counter[str] = Counter()
    for manifest in islice(_manifests(settings), _MANIFESTS_LOOKED_AT):
        pairs = [
            *manifest.pairs,
            *(pair for canvas in islice(manifest.canvases(), 1) for pair in canvas.pairs),
        ]
        labels = Labels(pairs)
        known |= {task: None for task, usual in USUAL_LABELS.items() if labels.has_usual(usual)}
        shown.update(list(dict.fromkeys(pair.labels[0].plain for pair in pairs)))
    tasks = tuple(task for task in USUAL_LABELS if task in known)
    if tasks:
        return settings.replace(tasks=tasks), [
            f"tasks guessed from the labels of the metadata: {' '.join(tasks)}; override them with --tasks TASK=LABEL"
        ]
    if shown:
        raise ArttlError(
            f"{settings.metadata}: no pair has a usual label for a material, type or artist; name them with"
            f" --tasks TASK=LABEL; the labels are: {_shown(shown)}"
        )
    return settings, []


def read_iiif(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of saved manifests, one per manifest, or with `all_canvases` one per canvas.

    The object number is a pair that looks like an accession or inventory number (or has the label of
    `--object-number`), else the last part of the manifest's identifier that means something. A task whose column is
    one of `TASKS` is the pair of that label, or else of a usual one.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing, a file is not JSON, there is no manifest, or no manifest has a label that
            `--tasks` or `--object-number` names.
    """
    reader = _Reader(settings)
    for where, document in _documents(settings):
        yield from reader.read(where, document)
    yield from reader.remarks()
    yield from reader.pictures.remarks()


def _documents(settings: SourceSettings) -> Iterator[tuple[str, Any]]:
    path = settings.metadata
    if path is None:
        raise ArttlError("--source iiif needs --metadata, a manifest or a folder of saved manifests")
    is_address = re.match(r"https?:/", path.as_posix()) is not None
    if is_address or (path.suffix.lower() == ".txt" and path.is_file()):
        raise ArttlError(
            f"--metadata {path} is read from the disk only: arttl fetch iiif downloads manifests and their pictures"
        )
    yield from read_documents(path)


def _manifests(settings: SourceSettings) -> Iterator[Manifest]:
    for _, document in _documents(settings):
        for kind, inner in _with_those_within(document):
            if kind == "manifest":
                yield read_manifest(inner)


def _with_those_within(document: Any) -> Iterator[tuple[Kind, Any]]:
    """A document and its kind, then those of the manifests and collections that it holds as a whole."""
    waiting = [document]
    while waiting:
        document = waiting.pop()
        kind = kind_of(document)
        yield kind, document
        if kind == "collection":
            waiting += [entry.document for entry in reversed(read_references(document)) if entry.document]


@dataclass
class _Reader:
    """What is remembered from manifest to manifest."""

    settings: SourceSettings
    numbers: dict[str, str] = field(default_factory=dict)  # those taken from an identifier, and whose
    known: set[str] = field(default_factory=set)  # identifiers of manifests
    named: dict[str, None] = field(default_factory=dict)  # manifests that collections name
    kinds: Counter[str] = field(default_factory=Counter)  # of documents
    labels: Counter[str] = field(default_factory=Counter)  # of pairs, and in how many manifests
    used: dict[str, Counter[str]] = field(default_factory=dict)  # task to labels of the pairs it is read from
    counts: Counter[str] = field(default_factory=Counter)  # of what is worth a sentence
    examples: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tasks = self.settings.task_columns() or {task: task for task in TASKS}
        self.artists = [
            task
            for task, label in self.tasks.items()
            if task == "artist" or is_usual(label, USUAL_LABELS["artist"])
        ]
        self.qualifiers = Qualifiers(" and ".join(self.artists), attributed=self.settings.attributed)
        self.pictures = PictureFolder.of(self.settings, "iiif")

    def read(self, where: str, document: Any) -> Iterator[Artwork | Reject | PassedOver]:
        """The artworks of a document."""
        for kind, inner in _with_those_within(document):
            self.kinds[kind] += 1
            if kind == "manifest":
                yield from self._artworks(read_manifest(inner), where)
            elif kind == "image":
                picture = read_info(inner)
                alone = Manifest(picture.service, (), (), None, (), ())
                yield self._artwork(alone, Labels(()), where, Canvas("", (), picture), 1)
            elif kind == "collection":
                for position, entry in enumerate(read_references(inner), start=1):
                    if entry.document is None and entry.kind != "collection":
                        self.named[entry.address or f"entry {position} of {where}"] = None
            else:
                yield PassedOver("JSON documents that are not of IIIF", where)

    def remarks(self) -> Iterator[PassedOver | Note]:
        """What there is to say when all documents have been read.

        Raises:
            ArttlError: if there was no manifest, or none has a label that a flag names.
        """
        where = self.settings.metadata
        if not self.kinds["manifest"] and not self.kinds["image"]:
            kinds = {"collection": self.kinds["collection"], "other JSON document": self.kinds[""]}
            read = " and ".join(
                f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items() if count
            )
            hint = "; arttl fetch iiif downloads what a collection names" if self.kinds["collection"] else ""
            raise ArttlError(f"{where} holds no IIIF manifest{', but ' if read else ''}{read}{hint}")
        flags: list[tuple[str, str | None]] = [
            (f"--tasks {task}", column) for task, column in self.tasks.items()
        ]
        others = ("object_number", "title", "date")
        flags += [(_flag(name), getattr(self.settings, name)) for name in others]
        for flag, column in flags:
            if column is not None and self.labels and not (self.used.get(flag) or column in USUAL_LABELS):
                raise ArttlError(
                    f"no manifest of {where} has a pair with the label {column!r} ({flag})"
                    f"{did_you_mean(column, self.labels)}; the labels are: {_shown(self.labels)}"
                )
        for task in self.tasks:
            if used := self.used.get(f"--tasks {task}"):
                yield Note(f"task {task} is read from: {_shown(used, counted=True)}")
        yield from map(Note, self.qualifiers.sentences())
        for address in self.named:
            if address not in self.known:
                yield PassedOver("manifests that a collection names and that are not saved", address)
        for sentence, count in self.counts.items():
            yield Note(f"{sentence.format(f'{count:,} ' * (count > 1))}, such as {self.examples[sentence]}")

    def _count(self, sentence: str, example: str, count: int = 1) -> None:
        self.counts[sentence] += count
        self.examples.setdefault(sentence, example)

    def _artworks(self, manifest: Manifest, where: str) -> Iterator[Artwork | Reject]:
        self.known.add(manifest.address)
        for label in dict.fromkeys(pair.labels[0].plain for pair in manifest.pairs):
            if label in self.labels or len(self.labels) < _MOST_LABELS:
                self.labels[label] += 1
        name, labels = manifest.address or where, Labels(manifest.pairs)
        count = manifest.canvas_count
        if not count:
            number = self._number(manifest, labels, where)
            yield Reject(number, "", "", "no-image-named", f"{where}: the manifest has no canvas")
        elif count > 1 and not self.settings.all_canvases:
            sentence = "{}canvases after the first of their manifest are left out (see --all-canvases)"
            self._count(sentence, name, count - 1)
        most = count if self.settings.all_canvases else 1
        for page, canvas in enumerate(islice(manifest.canvases(), most), start=1):
            yield self._artwork(manifest, labels, where, canvas, page)

    def _artwork(
        self, manifest: Manifest, of_manifest: Labels, where: str, canvas: Canvas, page: int
    ) -> Artwork | Reject:
        number = self._number(manifest, of_manifest, where)
        if not number:
            return Reject("", "", "", "no-object-number", where)
        if canvas.picture is None:
            reason: Reason = "ambiguous-picture" if canvas.ambiguous else "no-image-named"
            detail = f"canvas {page} of {manifest.address or where}: {canvas.problem}"
            return Reject(number, "", "", reason, detail)
        if canvas.others:
            sentence = (
                "{}other pictures of a canvas (options of a choice, or details painted on it) are left out"
            )
            self._count(sentence, manifest.address or where, canvas.others)
        image = self._image(number, canvas.picture, page)
        if isinstance(image, NoPicture):
            return image.reject(number)
        levels = (Labels(canvas.pairs), of_manifest) if canvas.pairs else (of_manifest,)
        labels: dict[str, tuple[str, ...]] = {}
        raw: dict[str, tuple[str, ...]] = {}
        identifiers: dict[str, dict[str, tuple[str, ...]]] = {}
        attributed: dict[tuple[str, str], None] = {}
        for task, column in self.tasks.items():
            texts = self._values(f"--tasks {task}", column, levels)
            raw[task] = tuple([text.raw for text in texts])
            read = self._makers if task in self.artists else self._labels
            named = [maker for text in texts for maker in read(text)]
            labels[task] = labels_of(named, attributed=self.settings.attributed)
            attributed.update(dict.fromkeys(attributions(named)))
            if linked := self._identifiers(texts, [maker.name for maker in named]):
                identifiers[task] = linked
        language = self.settings.language
        artwork = Artwork(
            key=sample_key(number, part=str(page) if page > 1 else ""),
            object_number=number,
            image=image,
            labels=labels,
            raw_labels=raw,
            title=" ".join(text.plain for text in self._named("title", levels, manifest.label)) or None,
            date=first_text(self._named("date", levels, usual_texts(USUAL_DATES, levels)), language),
            source=manifest.address or None,
            institution=institution_of(manifest, of_manifest, language),
            identifiers=identifiers,
            attributions=tuple(attributed),
        )
        self.qualifiers.add(artwork)
        return artwork

    def _named(self, name: str, levels: Sequence[Labels], usual: Texts) -> Texts:
        """The values of the pair that a setting names, or else the usual ones."""
        label = getattr(self.settings, name)
        if label is not None:
            return self._values(_flag(name), label, levels)
        return in_language(usual, self.settings.language)

    def _number(self, manifest: Manifest, labels: Labels, where: str) -> str:
        texts = self._named("object_number", (labels,), usual_texts(USUAL_NUMBERS, (labels,)))
        number = next((text.plain for text in texts if not is_web_address(text.plain)), "")
        if number or self.settings.object_number is not None:
            return number
        # The same last part may be that of two manifests; the first that is read keeps it. An identifier that is no
        # absolute address may be that of any manifest, and so may the name of its file.
        address = own = manifest.address
        if not _ABSOLUTE.match(address):
            address, own = where, f"{where}#{self.kinds.total()}"
        candidates = chain(object_numbers(address), [own])
        return next(each for each in candidates if self.numbers.setdefault(each, own) == own)

    def _image(self, number: str, picture: Picture, page: int) -> Path | NoPicture:
        folder, name = self.settings.images, picture.file_name
        if folder is None:
            return Path(name)
        if (folder / name).is_file():
            self.pictures.mark(folder / name)
            return folder / name
        own = self.pictures.of_object(number) if page == 1 else None
        if own is None or (isinstance(own, NoPicture) and own.reason == "missing"):
            detail = f"neither it nor a picture named after {number!r} is in the folder; arttl fetch iiif downloads it"
            return NoPicture("missing", name, detail)
        return own

    def _values(self, flag: str, column: str, levels: Sequence[Labels]) -> Texts:
        """The values of the pairs with a label, in the language of the settings."""
        texts: Texts = ()
        for labels in levels:
            pairs = labels.of(column) or labels.of_usual(USUAL_LABELS.get(column, ()))
            if pairs:
                self.used.setdefault(flag, Counter())[pairs[0].labels[0].plain] += 1
                texts = in_language(pairs[0].values, self.settings.language)
                for pair in pairs[1:]:
                    texts += in_language(pair.values, self.settings.language)
                break
        language = plain_language(self.settings.language) if self.settings.language else ""
        if language and texts and texts[0].language not in (language, ""):
            sentence = f"{flag}: {{}}values are not given in --language {language}, and are taken as they are"
            self._count(sentence, repr(texts[0].plain[:60]))
        return texts

    def _parts(self, text: Text) -> tuple[str, ...]:
        """The labels of a value, and addresses in their place."""
        separator = self.settings.label_separator
        if separator in _LINE_SEPARATORS:
            return text.lines
        if not separator:
            return (text.plain,) if text.plain else ()
        parts = text.plain.split(separator)
        return tuple(part for part in map(str.strip, parts) if part)

    def _split(self, text: Text) -> tuple[str, ...]:
        parts = self._parts(text)
        if len(text.lines) > 1 and self.settings.label_separator not in _LINE_SEPARATORS:
            sentence = "{}values of several lines are not divided at them (see --label-separator '<br>')"
            self._count(sentence, repr(text.plain[:60]))
        if "http" in text.plain and (addresses := [part for part in parts if _is_address(part)]):
            self._count(
                "{}web addresses in the place of labels are left out", addresses[0][:100], len(addresses)
            )
            return tuple(part for part in parts if not _is_address(part))
        return parts

    def _labels(self, text: Text) -> list[Maker]:
        return [Maker(part) for part in self._split(text)]

    def _makers(self, text: Text) -> list[Maker]:
        return in_roles(text.lines) or [maker for part in self._split(text) for maker in in_text(part)]

    def _identifiers(self, texts: Texts, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Label to addresses in vocabularies: of links, and of a value that is an address beside a single label."""
        if not any(text.links or "http" in text.plain for text in texts):
            return {}
        parts = [part for text in texts for part in self._parts(text)]
        if not any(text.links for text in texts) and not any(map(_is_address, parts)):
            return {}
        linked: dict[str, dict[str, None]] = {}
        for text in texts:
            for words, address in text.links:
                if is_of_vocabulary(address):
                    whole = labels[0] if len(labels) == 1 else text.plain
                    linked.setdefault(words if words in labels else whole, {})[address] = None
        if len(labels) == 1:
            linked.setdefault(labels[0], {}).update((part, None) for part in parts if is_of_vocabulary(part))
        return {label: tuple(addresses) for label, addresses in linked.items() if addresses}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://")) and " " not in text


def _shown(labels: Counter[str], *, counted: bool = False) -> str:
    shown = [f"{name} ({count:,})" if counted else name for name, count in labels.most_common(_LABELS_SHOWN)]
    return ", ".join(shown) + (", ..." if len(labels) > _LABELS_SHOWN else "")
