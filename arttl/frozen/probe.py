"""`arttl probe`: every usual head on frozen features, for all tasks, and the best of them as a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import torch
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import counted
from arttl.frozen.class_means import class_mean_head
from arttl.frozen.grid import MAX_EPOCHS, PAPER, GridHead, train_grid
from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.nearest_neighbours import NEIGHBOURS, neighbour_logits
from arttl.frozen.results import write_run
from arttl.frozen.study import Study, StudySettings, majority_values, task_values
from arttl.frozen.tables import add_row, task_cells, task_tables
from arttl.frozen.tokens import Samples, labelled_samples, standardise
from arttl.loading.settings import TaskSettings
from arttl.models import MultiTaskModel, Provenance
from arttl.models.losses import summed_loss
from arttl.models.stages import LAST_LAYER
from arttl.runs import RunFolder
from arttl.settings import BetweenZeroAndOne, Bound, RunSettings
from arttl.tasks import Task, TaskSet

Recipe = Literal["paper", "grid", "logistic regression", "class means", "nearest neighbours"]
_FromZeroToOne = Annotated[float, Bound("from 0 to 1", lambda value: 0 <= value <= 1)]


@dataclass(frozen=True, kw_only=True)
class ProbeSettings(RunSettings, TaskSettings, StudySettings):
    """Train every usual head on frozen features, for all tasks, and keep the best.

    The heads: the paper's recipe, the best of a whole grid around it, a logistic regression solved to convergence, and
    the nearest class mean. For each task the one with the lowest validation loss ends up in the model. The vote of the
    20 nearest training pictures stands beside them, and is no head that a model could have.
    """

    out: Path = Path("runs/probe")
    """Run folder to make."""
    learning_rates: tuple[BetweenZeroAndOne, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    """Learning rates of the grid. The paper's 1e-3 is always among them."""
    weight_decays: tuple[_FromZeroToOne, ...] = (0.0, 0.1, 1.0)
    """Weight decays of the grid: a step takes this times the learning rate off the weights. The paper's 0 is always
    among them."""
    seed: int = 0
    """Seed of the grid's first weights and order."""


@dataclass(frozen=True)
class Candidate:
    """A head for one task on one backbone.

    Attributes:
        store: the index of its features.
        task: the task's name.
        recipe: how it was made.
        detail: what was chosen on the validation split.
        val_loss: mean over the labelled validation samples.
        weight: [Q, D], on features as the network gives them; None for what is no head.
        bias: [Q]; likewise.
        val, test: measure name to value.
        epochs: of a head of the grid, after how many early stopping ended its training.
    """

    store: int
    task: str
    recipe: Recipe
    detail: str
    val_loss: float
    weight: torch.Tensor | None
    bias: torch.Tensor | None
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
    RunFolder(settings.out).check(overwrite=settings.overwrite)
    study = Study(settings.features, settings)
    ((split, tasks),) = study.splits(1)
    candidates: list[Candidate] = []
    majority: dict[str, dict[str, float]] = {}
    for index, store in enumerate(study.stores):
        features = store.values(LAST_LAYER)
        for task in tasks:
            samples = labelled_samples(split, task, [features], study.device)
            majority[task.name] = majority_values(task, samples["test"].targets)
            candidates += probe_task(task, samples, settings, index)
    chosen = best_heads(candidates, tasks)
    for table in probe_tables(candidates, chosen, majority, tasks, study.names):
        study.reporter.show(table)
    store = study.stores[next(iter(chosen.values())).store]
    model = MultiTaskModel(
        store.load_backbone(), tasks, store.preprocess, Provenance("off-the-shelf", store.recipe.weights)
    )
    with torch.no_grad():
        for task, layer in zip(tasks, model.heads.linear_layers(), strict=True):
            head = chosen[task.name]
            assert head.weight is not None and head.bias is not None
            layer.weight.copy_(head.weight)
            layer.bias.copy_(head.bias)
        features = store.values(LAST_LAYER)
        logits = model.heads(features)
    lines = [candidate.to_dict(study.names[candidate.store]) for candidate in candidates]
    write_run(settings.out, settings, model, split, logits, lambda rows: features[rows], lines)
    study.reporter.say(
        f"{counted(len(candidates), 'head')} in {study.seconds:.1f} s; the best as a model in {settings.out / 'best'}"
    )
    return candidates


def probe_task(
    task: Task, samples: Mapping[str, Samples], settings: ProbeSettings, store: int = 0
) -> list[Candidate]:
    """Every head for one task on one backbone.

    Args:
        task: what is predicted.
        samples: split name to samples with one token, the features as the network gives them.
        settings: of the grid.
        store: the index of the features.
    """
    standardised, mean, std = standardise(samples)
    with Reporter(True).progress(f"grid of {task.name}", MAX_EPOCHS) as bar:
        heads = train_grid(
            task,
            samples["train"],
            samples["val"],
            mean=mean,
            std=std,
            learning_rates=sorted({*settings.learning_rates, PAPER.learning_rate}),
            weight_decays=sorted({*settings.weight_decays, PAPER.weight_decay}),
            seed=settings.seed,
            on_epoch=bar.advance,
        )

    def measured(
        recipe: Recipe, detail: str, weight: torch.Tensor, bias: torch.Tensor, epochs: int | None = None
    ) -> Candidate:
        logits = [samples[split].tokens[0] @ weight.T + bias for split in ("val", "test")]
        return of_logits(recipe, detail, logits, weight.cpu(), bias.cpu(), epochs)

    def of_logits(
        recipe: Recipe,
        detail: str,
        logits: Sequence[torch.Tensor],
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        epochs: int | None = None,
    ) -> Candidate:
        """Measured on the validation and the test split."""
        targets = [samples[split].targets for split in ("val", "test")]
        loss = float(summed_loss(task, logits[0], targets[0])) / len(logits[0])
        val, test = (task_values(task, *pair) for pair in zip(logits, targets, strict=True))
        return Candidate(store, task.name, recipe, detail, loss, weight, bias, val, test, epochs)

    def on_features(recipe: Recipe, detail: str, weight: torch.Tensor, bias: torch.Tensor) -> Candidate:
        """A head on standardised features as one on the features themselves."""
        return measured(recipe, detail, weight / std, bias - weight @ (mean / std))

    paper = next(head for head in heads if head.point == PAPER)
    best = min(heads, key=lambda head: head.val_loss)
    detail = f"{best.point}, {_stopped(best)}, of {len(heads)} points"
    fitted = fit_probe(task, standardised["train"], standardised["val"])
    candidates = [
        measured("paper", _stopped(paper), paper.weight, paper.bias, paper.epochs),
        measured("grid", detail, best.weight, best.bias, best.epochs),
        on_features("logistic regression", f"C = {fitted.inverse_l2:g}", fitted.weight, fitted.bias),
    ]
    if task.kind != "number":
        candidates.append(on_features("class means", "cosine", *class_mean_head(task, standardised["train"])))
        votes = [
            neighbour_logits(task, samples["train"], samples[split].tokens[0]) for split in ("val", "test")
        ]
        candidates.append(of_logits("nearest neighbours", f"{NEIGHBOURS}, cosine", votes))
    return candidates


def best_heads(candidates: Sequence[Candidate], tasks: TaskSet) -> dict[str, Candidate]:
    """The heads of the model, of each task the one with the lowest validation loss, all on one backbone.

    What is no head is passed over.

    The backbone is the one whose best heads have the lowest validation losses added up over the tasks.
    """
    best: dict[int, dict[str, Candidate]] = {}
    heads = (candidate for candidate in candidates if candidate.weight is not None)
    for candidate in sorted(heads, key=lambda candidate: candidate.val_loss):
        best.setdefault(candidate.store, {}).setdefault(candidate.task, candidate)
    by_store = [{name: best[store][name] for name in tasks.names} for store in sorted(best)]
    return min(by_store, key=lambda of_tasks: sum(head.val_loss for head in of_tasks.values()))


def probe_tables(
    candidates: Sequence[Candidate],
    chosen: Mapping[str, Candidate],
    majority: Mapping[str, Mapping[str, float]],
    tasks: TaskSet,
    names: Sequence[str],
) -> Iterator[Table]:
    """A row per head, below the name of its features, with the majority baseline above."""
    of_row = {(head.store, head.recipe, head.task): head for head in candidates}
    for shown, table in task_tables("Test split, per cent; * has the lowest validation loss", "head", tasks):
        cells = {task.name: task_cells(task, [majority[task.name]]) for task in shown}
        add_row(table, "majority", shown, cells, end_section=True)
        for store, name in enumerate(names):
            table.add_row(name)
            for recipe in get_args(Recipe):
                for task in shown:
                    head = of_row.get((store, recipe, task.name))
                    cells[task.name] = ["–"] if head is None else task_cells(task, [head.test])
                    if head is chosen[task.name]:
                        cells[task.name][0] = f"* {cells[task.name][0]}"
                add_row(table, f"  {recipe}", shown, cells, end_section=recipe == get_args(Recipe)[-1])
        yield table


def _stopped(head: GridHead) -> str:
    return f"epoch {head.epoch} of {head.epochs}"


def run(settings: ProbeSettings) -> None:
    """Train the heads and report."""
    probe(settings)
