"""`arttl probe`: every usual head on frozen features, for all tasks, and the best of them as a model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import torch
import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.measures import MAIN_MEASURE
from arttl.evaluation.report import measure_name, measure_text
from arttl.frozen.class_means import class_mean_head
from arttl.frozen.grid import MAX_EPOCHS, PAPER, GridHead, train_grid
from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.measuring import majority_values, task_values
from arttl.frozen.results import answers, check_out, write_run
from arttl.frozen.store import FeatureStore
from arttl.frozen.tables import in_tables
from arttl.frozen.task_choice import TaskChoice
from arttl.frozen.tokens import (
    Samples,
    labelled_samples,
    same_collection,
    store_names,
)
from arttl.models import MultiTaskModel, Provenance
from arttl.models.losses import summed_loss
from arttl.models.stages import LAST_LAYER
from arttl.splits.redraw import Draw, draw_splits
from arttl.tasks import Task, TaskSet

Recipe = Literal["paper", "grid", "logistic regression", "class means"]


@dataclass(frozen=True)
class ProbeSettings(TaskChoice):
    """Train every usual head on frozen features, for all tasks, and keep the best.

    The heads: the paper's recipe, the best of a whole grid around it, a logistic regression solved to convergence, and
    the nearest class mean. For each task the one with the lowest validation loss ends up in the model.
    """

    features: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders made with `arttl features`, of the same shards."""
    out: Path = Path("runs/probe")
    """Run folder to make."""
    learning_rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    """Of the grid; the paper's 1e-3 is always among them."""
    weight_decays: tuple[float, ...] = (0.0, 0.1, 1.0)
    """Of the grid, times the learning rate what a step takes off the weights; the paper's 0 is always among them."""
    seed: int = 0
    """Seed of the grid's first weights and order."""
    overwrite: bool = False
    """Replace the run that --out already holds."""

    def __post_init__(self) -> None:
        if not self.features:
            raise ArttlError("name at least one folder of features, made with `arttl features`")
        if any(not 0 < rate < 1 for rate in self.learning_rates):
            raise ArttlError(f"--learning-rates {_listed(self.learning_rates)} must be above 0 and below 1")
        if any(not 0 <= decay <= 1 for decay in self.weight_decays):
            raise ArttlError(f"--weight-decays {_listed(self.weight_decays)} must be between 0 and 1")


@dataclass(frozen=True)
class Candidate:
    """A head for one task on one backbone.

    Attributes:
        store: the place of its features among those given.
        task: the task's name.
        recipe: how it was made.
        detail: what was chosen on the validation split.
        val_loss: mean over the labelled validation samples.
        weight: [Q, D], on features as the network gives them.
        bias: [Q].
        val, test: measure name to value.
        epochs: of a head of the grid, after how many early stopping ended its training.
    """

    store: int
    task: str
    recipe: Recipe
    detail: str
    val_loss: float
    weight: torch.Tensor
    bias: torch.Tensor
    val: Mapping[str, float]
    test: Mapping[str, float]
    epochs: int | None = None

    def to_dict(self, store_name: str) -> dict[str, object]:
        """A JSON-ready form."""
        return {
            "features": store_name,
            "task": self.task,
            "recipe": self.recipe,
            "detail": self.detail,
            "epochs": self.epochs,
            "val_loss": self.val_loss,
            "val": dict(self.val),
            "test": dict(self.test),
        }


def probe(settings: ProbeSettings) -> list[Candidate]:
    """Train the heads, print their table and write the run folder of the best.

    Returns:
        All heads, in the order of the table.

    Raises:
        ArttlError: for input that cannot be used; nothing is written then.
    """
    check_out(settings.out, settings.overwrite)
    stores = [FeatureStore.open(path) for path in settings.features]
    same_collection(stores)
    draw = draw_splits(stores[0].manifest, (), seed=0)
    tasks = settings.choose(draw)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    console = Console(highlight=False)
    names = store_names(stores)
    started = time.perf_counter()
    candidates: list[Candidate] = []
    for place, store in enumerate(stores):
        features = store.values(LAST_LAYER)
        for task in tasks:
            samples = labelled_samples(draw, task, [features], device)
            candidates += probe_task(task, samples, settings, place)
    chosen = best_heads(candidates, tasks)
    for some in in_tables(tasks):
        console.print(_table(candidates, chosen, some, names, draw))
    store = stores[next(iter(chosen.values())).store]
    model = MultiTaskModel(
        store.load_backbone(), tasks, store.preprocess, Provenance("off-the-shelf", store.recipe.weights)
    )
    with torch.no_grad():
        for task, layer in zip(tasks, model.heads.linear_layers(), strict=True):
            layer.weight.copy_(chosen[task.name].weight)
            layer.bias.copy_(chosen[task.name].bias)
        logits = model.heads(store.values(LAST_LAYER))
    write_run(
        settings.out,
        settings,
        model,
        [candidate.to_dict(names[candidate.store]) for candidate in candidates],
        answers(draw, "val", tasks, logits),
        answers(draw, "test", tasks, logits),
        store.manifest,
    )
    seconds = time.perf_counter() - started
    console.print(
        f"{len(candidates)} heads in {seconds:.1f} s; the best as a model in {settings.out / 'best'}",
        markup=False,
    )
    return candidates


def probe_task(
    task: Task, samples: Mapping[str, Samples], settings: ProbeSettings, place: int = 0
) -> list[Candidate]:
    """Every head for one task on one backbone.

    Args:
        task: what is predicted.
        samples: split name to samples with one token, the features as the network gives them.
        settings: of the grid.
        place: of the features among those given.
    """
    (values,) = samples["train"].tokens
    mean, std = values.mean(0), values.std(0).clamp_min(1e-6)
    rates = sorted({*settings.learning_rates, PAPER.learning_rate})
    decays = sorted({*settings.weight_decays, PAPER.weight_decay})
    with Reporter(True).progress(f"grid of {task.name}", MAX_EPOCHS) as bar:
        heads = train_grid(
            task,
            samples["train"],
            samples["val"],
            mean=mean,
            std=std,
            learning_rates=rates,
            weight_decays=decays,
            seed=settings.seed,
            on_epoch=bar.advance,
        )
    paper = next(head for head in heads if head.point == PAPER)
    best = min(heads, key=lambda head: head.val_loss)
    standardised = {split: one.standardised(mean, std) for split, one in samples.items()}
    fitted = fit_probe(task, standardised["train"].features(task), standardised["val"].features(task))

    def measured(
        recipe: Recipe, detail: str, weight: torch.Tensor, bias: torch.Tensor, epochs: int | None = None
    ) -> Candidate:
        logits = {split: samples[split].tokens[0] @ weight.T + bias for split in ("val", "test")}
        loss = float(summed_loss(task, logits["val"], samples["val"].targets)) / len(logits["val"])
        val, test = (task_values(task, logits[split], samples[split].targets) for split in ("val", "test"))
        return Candidate(place, task.name, recipe, detail, loss, weight.cpu(), bias.cpu(), val, test, epochs)

    def absorbed(weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A head on standardised features as one on the features themselves."""
        return weight / std, bias - weight @ (mean / std)

    found = [
        measured("paper", _stopped(paper), paper.weight, paper.bias, paper.epochs),
        measured(
            "grid",
            f"{best.point}, {_stopped(best)}, of {len(heads)} points",
            best.weight,
            best.bias,
            best.epochs,
        ),
        measured("logistic regression", f"C = {fitted.inverse_l2:g}", *absorbed(fitted.weight, fitted.bias)),
    ]
    if task.kind != "number":
        direction = absorbed(*class_mean_head(task, standardised["train"]))
        found.append(measured("class means", "cosine", *direction))
    return found


def best_heads(candidates: Sequence[Candidate], tasks: TaskSet) -> dict[str, Candidate]:
    """The heads of the model, of each task the one with the lowest validation loss, all on one backbone.

    The backbone is the one whose best heads have the lowest validation losses added up over the tasks.
    """
    by_store = {
        place: {
            task.name: min(
                (one for one in candidates if one.store == place and one.task == task.name),
                key=lambda one: one.val_loss,
            )
            for task in tasks
        }
        for place in sorted({one.store for one in candidates})
    }
    return min(by_store.values(), key=lambda heads: sum(one.val_loss for one in heads.values()))


def _table(
    candidates: Sequence[Candidate],
    chosen: Mapping[str, Candidate],
    tasks: TaskSet,
    names: Sequence[str],
    draw: Draw,
) -> Table:
    """A row a head, a column a task: the main measure, and the balanced accuracy where the kind has one."""
    table = Table(
        title="Test split, per cent; * has the lowest validation loss",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("head", no_wrap=True)
    for task in tasks:
        measure = measure_name(MAIN_MEASURE[task.kind])
        header = f"{task.name}\n{measure}" if task.kind == "number" else f"{task.name}\n{measure}, balanced"
        table.add_column(header, justify="right", no_wrap=True)
    table.add_row("majority", *(_cell(task, _majority(task, draw)) for task in tasks), end_section=True)
    for place, name in enumerate(names):
        table.add_row(name)
        for recipe in get_args(Recipe):
            cells = []
            for task in tasks:
                of_task = [
                    one
                    for one in candidates
                    if (one.store, one.recipe, one.task) == (place, recipe, task.name)
                ]
                mark = "* " if of_task and of_task[0] is chosen[task.name] else ""
                cells.append(mark + _cell(task, of_task[0].test) if of_task else "–")
            table.add_row(f"  {recipe}", *cells, end_section=recipe == "class means")
    return table


def _majority(task: Task, draw: Draw) -> dict[str, float]:
    return majority_values(task, labelled_samples(draw, task, [], torch.device("cpu"))["test"].targets)


def _cell(task: Task, values: Mapping[str, float]) -> str:
    main = MAIN_MEASURE[task.kind]
    text = measure_text(main, values[main])
    if task.kind == "number":
        return text
    return f"{text}  {measure_text('balanced_accuracy', values['balanced_accuracy']):>5}"


def _stopped(head: GridHead) -> str:
    return f"epoch {head.epoch} of {head.epochs}"


def _listed(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def run(settings: ProbeSettings) -> None:
    """Train the heads and tell how they did."""
    probe(settings)
