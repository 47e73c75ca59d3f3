"""Which of some files a name or an object number means, by rules of which the first that any file answers decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from arttl.matching.listing import cut_suffix
from arttl.matching.names import canonical, without_marks

# How far a name is from the file's where names are equal after a change to both, from the least to the most.
_LEVELS: tuple[tuple[int, Callable[[str], str] | None], ...] = ((0, None), (2, canonical), (3, without_marks))


@dataclass(frozen=True, slots=True)
class Query:
    """What a picture is looked up by.

    Attributes:
        called: as the metadata have it.
        paths: with slashes; as it stands, and percent-decoded if that is another.
        is_number: an object's number, from which no suffix is cut and which is compared as a whole.
        rank: of an exact answer, see `deciding`.
    """

    called: str
    paths: tuple[str, ...]
    is_number: bool = False
    rank: int = 0

    @classmethod
    def of(cls, called: str, path: str, *, is_number: bool = False, rank: int = 0) -> Query:
        """A query, with the path as it stands and percent-decoded."""
        return cls(called, _distinct(path, unquote(path).replace("\\", "/")), is_number, rank)

    @property
    def has_folders(self) -> bool:
        """Whether the whole path is to be compared too."""
        return any("/" in path for path in self.paths)

    @property
    def folders(self) -> list[str]:
        """The folders above the picture, as metadata name them."""
        return [] if self.is_number else self.paths[0].split("/")[:-1]

    def texts(self, *, whole_paths: bool) -> tuple[str, ...]:
        """What file names are compared with."""
        return self.paths if whole_paths or self.is_number else _distinct(*map(name_of, self.paths))

    def stems(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that have the suffix of a picture, without it."""
        return [] if self.is_number else [stem for stem, suffix in map(cut_suffix, texts) if suffix]

    def keys(self, *, whole_paths: bool) -> set[str]:
        """The index keys of all files that could be meant."""
        texts = self.texts(whole_paths=whole_paths)
        return {_index_key(text) for text in (*texts, *(cut_suffix(text)[0] for text in texts))}


def keys_of(file: str) -> set[str]:
    """What a file is indexed by: its name without marks, and its path if it is in a folder."""
    stem = cut_suffix(file)[0]
    return {_index_key(text) for text in {stem, *_spellings(name_of(stem))}}


def deciding(files: Sequence[str], query: Query, *, whole_paths: bool) -> tuple[int, list[str]]:
    """The files that answer the first rule that any of them answers.

    The rules are: the file's name, then the name without its suffix, then both without theirs, exactly; the same in
    canonical form, percent-decoded; the same without marks.

    Args:
        files: paths in the folder, with slashes.
        query: what is looked up.
        whole_paths: compare whole paths, and not without marks; else only the names of files.

    Returns:
        A rank: 0, exact; 1, exact but for the folder, the suffix or a web address around it; 2, in canonical form;
        3, without marks. And the files, none if no rule is answered.
    """
    texts = query.texts(whole_paths=whole_paths)
    least = 1 if query.folders and not whole_paths else query.rank
    for rank, form in _LEVELS[:-1] if whole_paths else _LEVELS:
        compared = texts if form else texts[:1]
        names = {key for text in compared for key in _keys(text, form)}
        stems = {key for text in query.stems(compared) for key in _keys(text, form)}
        for is_stem, keys, least_of_rule in ((False, names, least), (True, names, least), (True, stems, 1)):
            if keys and (
                matching := [
                    file
                    for file in files
                    if not keys.isdisjoint(_keys(_compared(file, is_stem, whole_paths), form))
                ]
            ):
                return max(rank, least, least_of_rule), matching
    return 0, []


def in_nearest_folder(files: list[str], folders: Sequence[str]) -> list[str]:
    """The files that share the most of the folders directly above them with those that metadata name."""
    if len(files) < 2:
        return files
    shared = [_shared_at_the_end(file.split("/")[:-1], folders) for file in files]
    most = max(shared)
    return [file for file, number in zip(files, shared, strict=True) if number == most]


def name_of(path: str) -> str:
    """The last part of a path with slashes."""
    return path.rpartition("/")[2]


def _index_key(text: str) -> str:
    return without_marks(text) or canonical(text)


def _compared(file: str, is_stem: bool, whole_path: bool) -> str:
    path = file if whole_path else name_of(file)
    return cut_suffix(path)[0] if is_stem else path


def _keys(text: str, form: Callable[[str], str] | None) -> set[str]:
    return {text} if form is None else {form(spelling) for spelling in _spellings(text)} - {""}


def _spellings(text: str) -> tuple[str, ...]:
    """The text, and percent-decoded if that is another."""
    return _distinct(text, unquote(text)) if "%" in text else (text,)


def _shared_at_the_end(folders: Sequence[str], others: Sequence[str]) -> int:
    number = 0
    for folder, other in zip(reversed(folders), reversed(others), strict=False):
        if canonical(folder) != canonical(other):
            break
        number += 1
    return number


def _distinct(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
