"""Pictures by name: which of very many files a query means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from arttl.matching.listing import UNREADABLE_SUFFIXES, cut_suffix
from arttl.matching.names import without_marks
from arttl.matching.nearest import NearestNames
from arttl.matching.rules import Query, deciding, in_nearest_folder, keys_of

_MOST_ALIKE = 1000  # pictures whose names are compared with one name


@dataclass(frozen=True, slots=True)
class Match:
    """What a query means.

    Attributes:
        files: that could be meant; the one that is, if there is one.
        rank: of the rule that decided, see `deciding`.
        count: of files that could be meant, more than are in `files` where they are too many to be compared.
        beside: files of cameras and editors that were passed over, since others of their name can be read.
    """

    files: list[str]
    rank: int
    count: int
    beside: list[str]


class PictureIndex:
    """Files by all names that may mean them.

    Attributes:
        files: paths in the folder, with slashes, in the order in which they were given.
    """

    def __init__(self, files: Iterable[str]) -> None:
        """Index the files.

        Args:
            files: paths in the folder, with slashes.
        """
        self.files: list[str] = []
        self._by_key: dict[str, int | list[int]] = {}
        self._nearest: NearestNames | None = None
        for index, file in enumerate(files):
            self.files.append(file)
            for key in keys_of(file):
                others = self._by_key.setdefault(key, index)
                if isinstance(others, list):
                    others.append(index)
                elif others != index:
                    self._by_key[key] = [others, index]

    def match(self, query: Query) -> Match:
        """The files that a query means, none if no rule is answered."""
        for whole_paths in (True, False) if query.has_folders else (False,):
            candidates = self._candidates(query, whole_paths=whole_paths)
            if len(candidates) > _MOST_ALIKE:
                return Match(candidates[:1], 3, len(candidates), [])
            rank, matching = deciding(candidates, query, whole_paths=whole_paths)
            if matching:
                usable = [file for file in matching if cut_suffix(file)[1] not in UNREADABLE_SUFFIXES]
                files = in_nearest_folder(usable or matching, query.folders)
                beside = sorted({*matching} - {*usable}) if usable and len(files) == 1 else []
                return Match(files, rank, len(files), beside)
        return Match([], 0, 0, [])

    def most_similar(self, query: Query) -> str | None:
        """The file whose name is the most similar to what is looked up, if one is similar."""
        self._nearest = self._nearest or NearestNames(self._by_key)
        texts = query.texts(whole_paths=False)
        nearest = self._nearest.of(without_marks(next(iter(query.stems(texts)), texts[0])))
        if nearest is None:
            return None
        index = self._by_key[nearest]
        return self.files[index[0] if isinstance(index, list) else index]

    def _candidates(self, query: Query, *, whole_paths: bool) -> list[str]:
        """All files that any rule could give, in order."""
        indices: set[int] = set()
        for key in query.keys(whole_paths=whole_paths):
            alike = self._by_key.get(key, [])
            indices.update(alike if isinstance(alike, list) else (alike,))
        return [self.files[index] for index in sorted(indices)]
