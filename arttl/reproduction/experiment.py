"""From the settings to the matrix: what each collection has, and which networks' weights are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arttl.errors import ArttlError
from arttl.files import locked, make_folder, write_json
from arttl.models import Backbone, load_weights
from arttl.reproduction.cells import Collection, Matrix, build_matrix
from arttl.reproduction.excerpt import write_excerpt
from arttl.reproduction.running import Experiment
from arttl.reproduction.settings import ReproduceSettings
from arttl.settings import read_recipe
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet
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
        manifests: of the collections, by name.
    """

    settings: ReproduceSettings
    experiment: Experiment
    matrix: Matrix
    collections: Mapping[str, Collection]
    manifests: Mapping[str, Manifest]

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
        name: _classes(manifest, tasks.get(name, ()), settings.classes)
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
    recipe = read_recipe(settings.recipe, TrainSettings)
    experiment = Experiment(
        settings.out,
        {name: manifest.directory for name, manifest in manifests.items()},
        settings.first_weights(),
        recipe.replace(
            classes=settings.classes,
            input_size=QUICK_SIZE if settings.quick else settings.input_size or recipe.model.input_size,
            epochs=1 if settings.quick else settings.epochs or recipe.optimisation.epochs,
        ),
        _write_classes(settings.out / "common-classes", common),
    )
    matrix = build_matrix(
        collections[source],
        [collection for name, collection in collections.items() if name != source],
        settings.backbones,
        scratch=settings.scratch_network,
        missing_weights=_missing_weights(experiment.first_weights),
        pairs=settings.pairs(),
        seeds=range(settings.seeds),
    )
    return Plan(settings, experiment, matrix, collections, manifests)


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
    excerpts = settings.out / "excerpts"
    make_folder(excerpts)
    with locked(excerpts / "lock"):  # the first of several processes writes them
        return {
            name: write_excerpt(manifest, excerpts / name, QUICK_SAMPLES)
            for name, manifest in manifests.items()
        }


def _classes(manifest: Manifest, tasks: Sequence[str], rule: str) -> dict[str, tuple[str, ...] | str]:
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


def _missing_weights(first_weights: Mapping[str, str]) -> dict[str, str]:
    """The networks whose first weights are not available, and why, in a few words."""
    missing = {}
    for network, source in first_weights.items():
        try:
            load_weights(Backbone(network), source)
        except ArttlError:
            if source != "imagenet":
                raise  # the user named a file or folder, and should read what is wrong with it
            missing[network] = "no weights here"
    return missing
