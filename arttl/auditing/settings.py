"""The settings of `arttl audit`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from arttl.auditing.out_of_fold import FOLDS
from arttl.errors import ArttlError, did_you_mean
from arttl.loading.settings import EngineSettings
from arttl.models.settings import NetworkSettings
from arttl.settings import AtLeastOne, Bound, OutputSettings, settings_of

_OnePerFold = Annotated[int, Bound(f"at least {FOLDS}", lambda value: value >= FOLDS)]


@dataclass(frozen=True, kw_only=True)
class AuditSettings(OutputSettings, EngineSettings, NetworkSettings):
    """List the objects whose catalogue labels the pictures contradict, the most doubtful first.

    Logistic regressions on the features of a frozen network judge each object without having seen its label or that of
    a near duplicate. Nothing but the folder of the audit is written; the labels stay as they are.
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders made with arttl features, of the same shards; or one folder of shards, whose features are computed
    first."""
    out: Path
    """Folder to make, with audit.parquet, audit.csv and audit.json. Features of shards are kept beside it, in a folder
    of its name that ends in -features."""
    overwrite: bool = False
    """Replace the audit that --out already holds."""
    model: Path | None = None
    """Model whose networks compute the features of shards, in place of --backbone. Its heads are not used."""
    tasks: tuple[str, ...] = ()
    """Tasks to audit. By default all that the shards have."""
    multi_label: tuple[str, ...] = ()
    """Tasks in which an object keeps all its labels; in the others the first counts."""
    least: _OnePerFold = FOLDS
    """Objects that a class needs to be judged. The others are listed with their sizes."""
    nearest: AtLeastOne = 3
    """How many of the nearest other objects each row names."""
    vocabulary: Path | None = None
    """Table of the identifiers of labels, as arttl vocabulary makes it; those of the labels of a row are written."""
    trained_elsewhere: bool = False
    """Accept the features of a network that arttl has trained: it has seen none of the labels that are audited."""
    seed: int = 0
    """Seed of the folds."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if not self.folders:
            raise ArttlError("name folders made with arttl features, or a folder of shards")
        if self.tasks and (stray := set(self.multi_label) - set(self.tasks)):
            raise ArttlError(f"--multi-label names {min(stray)!r}, which --tasks does not")
        if self.model is not None and (given := self._given(NetworkSettings)):
            raise ArttlError(f"{given[0]} and --model both name a network: leave one of them out")

    def check_tasks(self, known: tuple[str, ...]) -> None:
        """Refuse tasks that the shards do not have.

        Raises:
            ArttlError: naming the first.
        """
        for task in (*self.tasks, *self.multi_label):
            if task not in known:
                there = ", ".join(known) or "none"
                raise ArttlError(
                    f"the shards have no task {task!r}{did_you_mean(task, known)}; they have: {there}"
                )

    def check_features(self) -> None:
        """Refuse flags that have no effect on features that are there already.

        Raises:
            ArttlError: naming the first.
        """
        given = self._given(NetworkSettings, EngineSettings)
        given = ["--model", *given] if self.model is not None else given
        if given:
            raise ArttlError(
                f"{given[0]} is for a folder of shards, and {self.folders[0]} is a folder of features, whose network is"
                " its own"
            )

    def _given(self, *groups: type[NetworkSettings] | type[EngineSettings]) -> list[str]:
        """The flags of groups that have not their defaults."""
        return [
            setting.flag
            for group in groups
            for name, setting in settings_of(group).items()
            if getattr(self, name) != setting.default
        ]
