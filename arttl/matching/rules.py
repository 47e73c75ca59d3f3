"""Which of some files a name or an object number means, by rules of which the first that any file answers decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from arttl.matching.listing import cut_suffix
from arttl.matching.names import canonical, without_marks

_Form = Callable[[str], str] | None
# How far a name is from the file's where both are equal in a form (None: as they stand), from the least to the most.
_LEVELS: tuple[tuple[int, _Form], ...] = ((0, None), (2, canonical), (3, without_marks))


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
    paths = [file if whole_paths else name_of(file) for file in files]
    for rank, form in _LEVELS[:-1] if whole_paths else _LEVELS:
        compared = texts if form else texts[:1]
        rules = (
            (_names(compared, form), _names, least),
            (_stems(compared, form), _stems_of_files, least),
            (_stems(query.stems(compared), form), _stems_of_files, 1),
        )
        for keys, of_files, least_of_rule in rules:
            same = [
                file
                for file, path in zip(files, paths, strict=True)
                if keys and not keys.isdisjoint(of_files(_spellings(path) if form else (path,), form))
            ]
            if same:
                return max(rank, least, least_of_rule), same
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


def _names(texts: Sequence[str], form: _Form) -> set[str]:
    """Names of files in a form, which leaves the suffix of a picture as it is but for its letter case."""
    if form is None:
        return set(texts)
    return {key + suffix for stem, suffix in map(cut_suffix, texts) if (key := form(stem))}


def _stems(texts: Sequence[str], form: _Form) -> set[str]:
    return set(map(form, texts)) - {""} if form else set(texts)


def _stems_of_files(texts: Sequence[str], form: _Form) -> set[str]:
    return _stems([cut_suffix(text)[0] for text in texts], form)


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
