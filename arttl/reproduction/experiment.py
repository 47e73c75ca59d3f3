"""From the settings to the matrix: what each collection has, and which networks' weights are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.files import locked, make_folder, write_json
from arttl.models import Backbone, default_preprocess, load_weights
from arttl.models.checks import check_input_size
from arttl.packing.excerpt import first_rows, rows_of, write_excerpt
from arttl.reproduction.cells import Collection, Matrix, Run, build_matrix
from arttl.reproduction.running import Experiment
from arttl.reproduction.sampling import LabelledSplits
from arttl.reproduction.settings import ReproduceSettings
from arttl.settings import read_recipe
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS, LabelledRows, TaskSet
from arttl.training.settings import TrainSettings

QUICK_SIZE = 64  # pixels
QUICK_SAMPLES = {"train": 300, "val": 100, "test": 100}


@dataclass(frozen=True)
class Plan:
    """A planned experiment.

    Attributes:
        settings: of the command.
        experiment, matrix: for `run_matrix`.
        collections: by name, the source first.
        labelled: the labels and splits of the collections, by name.
        manifests: of the collections, by name; none in a dry run of samples that are not written yet.
    """

    settings: ReproduceSettings
    experiment: Experiment
    matrix: Matrix
    collections: Mapping[str, Collection]
    labelled: Mapping[str, LabelledSplits]
    manifests: Mapping[str, Manifest]

    def classes(self, run: Run) -> dict[str, int]:
        """The number of classes of each task of a run."""
        collection = self.collections[run.collection]
        counts = {**collection.tasks, **(collection.common if run.common else {})}
        return {task: count for task in run.tasks if isinstance(count := counts[task], int)}

    def samples(self, run: Run) -> dict[str, int]:
        """The number of samples of each split that have a label of some task of a run."""
        labelled = self.labelled[run.collection]
        columns = [labelled.labels(task) for task in run.tasks]
        return {
            split: sum(any(column[row] for column in columns) for row in labelled.rows(split).tolist())
            for split in SPLITS
        }

    def shards(self, collection: str) -> Manifest:
        """Shards with the pictures of a collection: its own, or those that its sample is drawn from."""
        assert self.settings.source is not None
        return self.manifests.get(collection) or Manifest.read(self.settings.source)

    @property
    def source(self) -> Collection:
        """The collection of the first part."""
        return next(iter(self.collections.values()))


def plan_experiment(settings: ReproduceSettings) -> Plan:
    """Open the collections and plan the matrix.

    Args:
        settings: `source` and `target` are required.

    Raises:
        ArttlError: if a collection is missing or cannot be read, or a flag names an unknown task.
    """
    manifests = _open_collections(settings)
    source, target, *_ = manifests
    tasks = {source: settings.source_tasks, target: settings.target_tasks}
    classes = {
        name: classes_of_tasks(manifest, tasks.get(name, ()), settings.classes)
        for name, manifest in manifests.items()
    }
    common = _common_classes(classes[source], classes[target])
    collections = {
        name: Collection(
            name,
            {
                task: of_task if isinstance(of_task, str) else len(of_task)
                for task, of_task in of_tasks.items()
            },
            {task: len(shared) for task, shared in common.items()} if name == target else {},
        )
        for name, of_tasks in classes.items()
    }
    for target_task, source_task in settings.pairs().items():
        if source_task not in collections[source].usable:
            raise ArttlError(
                f"--pair {source_task}:{target_task}: {source} has no task {source_task!r} that can be trained"
            )
    experiment = Experiment(
        settings.out,
        {name: manifest.directory for name, manifest in manifests.items()},
        settings.first_weights(),
        fine_tuning(settings),
        _write_classes(settings.out / "common-classes", common),
    )
    matrix = build_matrix(
        collections[source],
        [collection for name, collection in collections.items() if name != source],
        settings.networks,
        scratch=settings.scratch_network,
        missing_weights=check_networks(experiment),
        pairs=settings.pairs(),
        seeds=range(settings.trainings),
    )
    return Plan(settings, experiment, matrix, collections, manifests, manifests)


def fine_tuning(settings: ReproduceSettings) -> TrainSettings:
    """The settings of every fine-tuning, whatever the collection and network."""
    recipe = read_recipe(settings.chosen_recipe, TrainSettings)
    size = settings.input_size or (QUICK_SIZE if settings.quick else None)
    return recipe.replace(
        classes=settings.classes,
        input_size=size or recipe.model.input_size or settings.defaults.input_size,
        epochs=1 if settings.quick else settings.epochs or recipe.optimisation.epochs,
    )


def _open_collections(settings: ReproduceSettings) -> dict[str, Manifest]:
    """The manifests by the names that the report uses: those of the folders, made distinct."""
    if settings.source is None or settings.target is None:
        raise ArttlError(
            "name two collections: --source DIR and --target DIR, folders of shards made with arttl shards"
        )
    folders: dict[str, Path] = {}
    for part, folder in (("source", settings.source), ("target", settings.target)):
        name = folder.resolve().name or part
        folders[f"{name}-{part}" if name in folders else name] = folder
    for name, folder in settings.further().items():
        if name in folders:
            raise ArttlError(
                f"--also {name}={folder}: another collection has that name already; give another"
            )
        folders[name] = folder
    manifests = {name: Manifest.read(folder) for name, folder in folders.items()}
    if not settings.quick:
        return manifests
    rows = {name: first_rows(rows_of(manifest), QUICK_SAMPLES) for name, manifest in manifests.items()}
    return write_excerpts(settings.out, manifests, rows)


def excerpt_folder(out: Path, name: str) -> Path:
    """Where the excerpt of a name is, below the experiment's folder."""
    return out / "excerpts" / name


def write_excerpts(
    out: Path, manifests: Mapping[str, Manifest], rows: Mapping[str, Mapping[str, npt.NDArray[np.int64]]]
) -> dict[str, Manifest]:
    """An excerpt of each name, from the rows of each split; the first of several processes writes them."""
    make_folder(out / "excerpts")
    with locked(out / "excerpts" / "lock"):
        return {
            name: write_excerpt(manifest, excerpt_folder(out, name), rows[name])
            for name, manifest in manifests.items()
        }


def classes_of_tasks(
    manifest: LabelledRows, tasks: Sequence[str], rule: str
) -> dict[str, tuple[str, ...] | str]:
    """The classes of each task, or why it cannot be trained; the latter tasks come last."""
    classes: dict[str, tuple[str, ...] | str] = {}
    problems: dict[str, tuple[str, ...] | str] = {}
    for task in tasks or manifest.task_names:
        if task not in manifest.task_names:
            problems[task] = "no labels"
            continue
        try:
            classes[task] = TaskSet.from_manifest(manifest, (task,), classes=rule)[task].vocabulary.classes
        except ArttlError:
            problems[task] = "fewer than two classes"
    return classes | problems


def _common_classes(
    source: Mapping[str, tuple[str, ...] | str], target: Mapping[str, tuple[str, ...] | str]
) -> dict[str, tuple[str, ...]]:
    """The classes of the target that the source has too, for the tasks that both can train."""
    return {
        task: tuple(sorted(set(classes) & set(source[task])))
        for task, classes in target.items()
        if not isinstance(classes, str) and not isinstance(source.get(task, ""), str)
    }


def _write_classes(folder: Path, classes: Mapping[str, tuple[str, ...]]) -> dict[str, Path]:
    """One file per task that has classes."""
    files = {task: folder / f"{task}.json" for task, of_task in classes.items() if of_task}
    for task, file in files.items():
        make_folder(folder)
        write_json(file, classes[task])
    return files


def check_networks(experiment: Experiment) -> dict[str, str]:
    """The networks whose first weights are not available, and why, in a few words.

    Raises:
        ArttlError: before any run, for a network that timm does not know, that gives no features of pictures of the
            experiment's size, or whose weights the user named and cannot be used.
    """
    missing = {}
    for network, source in experiment.first_weights.items():
        backbone = Backbone(network)
        size = experiment.fine_tuning.model.input_size
        check_input_size(backbone, size or default_preprocess(backbone).size)
        try:
            load_weights(backbone, source)
        except ArttlError:
            if source != "imagenet":
                raise  # the user named a file or folder, and should read what is wrong with it
            missing[network] = "no weights here"
    return missing
