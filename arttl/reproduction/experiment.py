"""From the settings to the matrix: what each collection has, and which networks' weights are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from arttl.errors import ArttlError
from arttl.files import make_folder, write_json
from arttl.models import Backbone, load_weights
from arttl.packing.excerpt import write_excerpt
from arttl.reproduction.cells import Collection, Matrix, build_matrix
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
        experiment, matrix: for `run_matrix`.
        collections: by name, the source first.
        manifests: of each.
    """

    experiment: Experiment
    matrix: Matrix
    collections: Mapping[str, Collection]
    manifests: Mapping[str, Manifest]


def plan_experiment(settings: ReproduceSettings) -> Plan:
    """Open the collections and plan the matrix.

    Args:
        settings: `source` and `target` are required.

    Raises:
        ArttlError: if a collection is missing or cannot be read, or a flag names a task that is nowhere.
    """
    if settings.source is None or settings.target is None:
        raise ArttlError(
            "name two collections: --source DIR and --target DIR, folders of shards made by make_shards.py"
        )
    folders = _named({"source": settings.source, "target": settings.target}, settings.further())
    manifests = {name: Manifest.read(folder) for name, folder in folders.items()}
    if settings.quick:
        manifests = _excerpts(manifests, settings.out / "excerpts")
        folders = {name: manifest.directory for name, manifest in manifests.items()}
    names = list(folders)
    source_name, target_names = names[0], names[1:]
    chosen_tasks = {source_name: settings.source_tasks, target_names[0]: settings.target_tasks}
    classes: dict[str, dict[str, tuple[str, ...]]] = {}
    problems: dict[str, dict[str, str]] = {}
    for name, manifest in manifests.items():
        classes[name], problems[name] = _classes(manifest, chosen_tasks.get(name, ()), settings.classes)
    listed = _write_common(settings.out, classes[source_name], classes[target_names[0]])
    collections = {
        name: Collection(
            name,
            {
                task: problems[name].get(task) or len(classes[name][task])
                for task in (*classes[name], *problems[name])
            },
            {task: len(found) for task, (found, _) in listed.items()} if name == target_names[0] else {},
        )
        for name in names
    }
    for target, source in settings.pairs().items():
        if source not in collections[source_name].usable:
            raise ArttlError(
                f"--pair {source}:{target}: {source_name} has no task {source!r} that can be trained"
            )
    recipe = read_recipe(settings.recipe, TrainSettings)
    fine_tuning = recipe.replace(
        classes=settings.classes,
        input_size=QUICK_SIZE if settings.quick else settings.input_size or recipe.model.input_size,
        epochs=1 if settings.quick else settings.epochs or recipe.optimisation.epochs,
    )
    matrix = build_matrix(
        collections[source_name],
        [collections[name] for name in target_names],
        settings.backbones,
        scratch=settings.scratch_network,
        missing_weights=_missing_weights(settings.first_weights()),
        pairs=settings.pairs(),
        seeds=range(settings.seeds),
    )
    experiment = Experiment(
        settings.out,
        folders,
        settings.first_weights(),
        fine_tuning,
        {task: file for task, (_, file) in listed.items()},
    )
    return Plan(experiment, matrix, collections, manifests)


def _excerpts(manifests: Mapping[str, Manifest], out: Path) -> dict[str, Manifest]:
    """A few pictures of every collection, made once by whichever process comes first."""
    make_folder(out)
    with FileLock(out / "lock"):
        return {
            name: write_excerpt(manifest, out / name, QUICK_SAMPLES) for name, manifest in manifests.items()
        }


def _named(pair: Mapping[str, Path], further: Mapping[str, Path]) -> dict[str, Path]:
    """Folders by the name that the report gives them: their own, made distinct."""
    found: dict[str, Path] = {}
    for part, folder in pair.items():
        name = folder.resolve().name or part
        found[name if name not in found else f"{name}-{part}"] = folder
    for name, folder in further.items():
        if name in found:
            raise ArttlError(
                f"--also {name}={folder}: another collection has that name already; give another"
            )
        found[name] = folder
    return found


def _classes(
    manifest: Manifest, tasks: Sequence[str], rule: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """The classes of each task, and why there are none of the others."""
    found: dict[str, tuple[str, ...]] = {}
    problems: dict[str, str] = {}
    for task in tasks or manifest.task_names:
        if task not in manifest.task_names:
            problems[task] = "no labels"
            continue
        try:
            found[task] = TaskSet.from_manifest(manifest, (task,), classes=rule)[task].vocabulary.classes
        except ArttlError:
            problems[task] = "fewer than two classes"
    return found, problems


def _write_common(
    out: Path, source: Mapping[str, tuple[str, ...]], target: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[tuple[str, ...], Path]]:
    """The classes of the target that the source has too, for tasks that both have, and a file of each."""
    found = {}
    for task, classes in target.items():
        if task in source:
            common = tuple(sorted(set(classes) & set(source[task])))
            file = out / "common-classes" / f"{task}.json"
            if common:
                make_folder(file.parent)
                write_json(file, common)
            found[task] = (common, file)
    return found


def _missing_weights(first_weights: Mapping[str, str]) -> dict[str, str]:
    """The networks whose first weights cannot be had, and why, in a few words."""
    missing = {}
    for network, where in first_weights.items():
        backbone = Backbone(network)
        try:
            load_weights(backbone, where)
        except ArttlError:
            if where != "imagenet":
                raise  # the user named a file or folder, and should read what is wrong with it
            missing[network] = "no weights here"
    return missing
