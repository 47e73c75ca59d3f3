"""The model card of a folder for the Hugging Face Hub: what is recorded of a model, and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import yaml

from arttl.errors import counted
from arttl.evaluation.classes import FEW, per_cent
from arttl.export.description import last_part
from arttl.export.markdown import code, plain, table
from arttl.export.run_record import RunRecord
from arttl.inference.promises import Promises
from arttl.inference.suggestions import Suggester
from arttl.models import MultiTaskModel, TrainedModel
from arttl.tasks import Task
from arttl.version import __version__

PRECISION = 0.9
"""That the sentences about suggestions are for, as in `arttl predict`; any other can be asked for."""
MOST_CLASSES = 100
"""Rows of a table of classes; the file has all."""
UNKNOWN = "**Unknown**"
CITATION = """```bibtex
@inproceedings{sabatelli2018deep,
  title = {Deep Transfer Learning for Art Classification Problems},
  author = {Sabatelli, Matthia and Kestemont, Mike and Daelemans, Walter and Geurts, Pierre},
  booktitle = {Computer Vision – ECCV 2018 Workshops},
  year = {2018},
}
@software{arttl,
  title = {arttl: transfer learning for museum collections},
  author = {{The arttl developers}},
  version = {%s},
}
```"""


def model_card(model: TrainedModel, promises: Promises | None, run: RunRecord | None, name: str) -> str:
    """The card, in Markdown with YAML before it.

    Args:
        model: as exported.
        promises: of the model; None: it has none.
        run: that made it; None: it is not at hand, and the card says what is unknown.
        name: of the model, its heading.
    """
    sections: Sequence[tuple[str, Iterator[str]]] = (
        (plain(name), _introduction(model)),
        ("Use", _use(model)),
        ("Tasks", _tasks(model)),
        ("Data", _data(model, run)),
        ("Results on the test split", _results(model, run)),
        ("Promises", _promises(model, promises)),
        ("Known limits", _limits(model, run)),
        ("Training", _training(model, run)),
        (
            "Licence",
            iter(
                [f"{UNKNOWN}: nobody has stated it yet. It depends on the pictures and on the first weights."]
            ),
        ),
        ("Citation", iter([CITATION % __version__])),
    )
    parts = [
        part
        for level, (heading, body) in enumerate(sections)
        for part in (f"{'#' if level == 0 else '##'} {heading}", *body)
    ]
    return f"---\n{_metadata(model)}---\n\n" + "\n\n".join(parts) + "\n"


def _metadata(model: TrainedModel) -> str:
    described = {
        "library_name": "arttl",
        "pipeline_tag": "image-classification",
        "tags": ["arttl", *(["timm"] if isinstance(model, MultiTaskModel) else []), "cultural-heritage"],
    }
    return str(yaml.safe_dump(described, sort_keys=False, allow_unicode=True))


def _introduction(model: TrainedModel) -> Iterator[str]:
    names = [plain(task.name) for task in model.tasks]
    backbones = " and ".join(code(network.name) for network in model.networks)
    kind = "one network" if len(model.networks) == 1 else f"{len(model.networks)} networks joined"
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    yield (
        f"Predicts {listed} of heritage objects from photographs: {kind} ({backbones}) with one head per task. Made"
        f" with arttl, exported by its version {__version__}."
    )


def _use(model: TrainedModel) -> Iterator[str]:
    load = "arttl.load_model" if isinstance(model, MultiTaskModel) else "load_trained_model"
    imported = (
        "import arttl" if isinstance(model, MultiTaskModel) else "from arttl.models import load_trained_model"
    )
    yield "`OWNER/NAME` stands for where this folder is uploaded; a local copy of the folder does as well."
    yield (
        "```\narttl predict --model hf://OWNER/NAME --images photos --out suggestions.csv\n```\n\n"
        f'```python\n{imported}\n\nmodel = {load}("hf://OWNER/NAME")\n```'
    )
    if not isinstance(model, MultiTaskModel):
        return
    backbone = model.backbone
    if backbone.name.startswith("keras"):
        yield f"The backbone is arttl's own form of a network ({code(backbone.name)}); timm alone does not load it."
        return
    yield (
        "The backbone alone, in timm:\n\n"
        "```python\nimport timm\n\n"
        'backbone = timm.create_model("hf-hub:OWNER/NAME", pretrained=True, num_classes=0)\n```'
    )
    if backbone.pooling is not None:
        yield (
            f"This model pools the tokens otherwise than timm ({code(backbone.pooling)}): use `forward_features`, and"
            " pool what it gives alike."
        )
    if backbone.is_cut:
        yield (
            "timm puts fully connected layers behind it, which are no part of this model and stay random: use its"
            " `forward_features`, and their mean over the picture."
        )


def _tasks(model: TrainedModel) -> Iterator[str]:
    calibration = model.calibration
    rows = []
    for task in model.tasks:
        of_task = calibration.tasks.get(task.name) if calibration else None
        if task.kind == "number":
            text = "no probability"
        elif of_task is None or calibration is None:
            text = "not calibrated"
        else:
            split = plain(calibration.split)
            text = f"temperature {of_task.temperature:.3g}, fitted on {of_task.n:,} samples ({split})"
        rows.append((plain(task.name), plain(task.summary), text))
    yield table(("task", "kind", "probabilities"), rows, names=3)
    steps = list(dict.fromkeys(map(str, model.preprocesses)))
    yield "\n".join(f"- Input: {plain(each)}." for each in steps)


def _data(model: TrainedModel, run: RunRecord | None) -> Iterator[str]:
    shards = run.settings.get("shards") if run else None
    collection = code(last_part(str(shards))) if shards else UNKNOWN
    rule = run.settings.get("classes") if run else None
    yield (
        f"- Collection: {collection}. Who made its pictures and labels, and under which licence: {UNKNOWN}, to be added"
        f" here.\n- Class rule: {_rule(str(rule)) if rule else UNKNOWN}."
    )
    rows = []
    for task in model.tasks:
        if task.kind == "number":
            numbers = task.statistics
            labels = f"{numbers.count:,} samples, {numbers.text(numbers.mean)} on average"
        elif any(task.vocabulary.counts):
            labels = f"{sum(task.vocabulary.counts):,} labels of {counted(len(task.vocabulary), 'class', 'classes')}"
        else:
            labels = UNKNOWN
        rows.append((plain(task.name), labels))
    yield table(("task", "training split"), rows, names=2)
    for task in model.tasks:
        if task.kind != "number" and (run is None or task.name not in run.classes):
            yield from _training_classes(task)


def _training_classes(task: Task) -> Iterator[str]:
    vocabulary = task.vocabulary
    pairs = sorted(zip(vocabulary.classes, vocabulary.counts, strict=True), key=lambda pair: -pair[1])
    yield f"### Classes of {plain(task.name)}"
    if len(pairs) > MOST_CLASSES:
        yield f"The {MOST_CLASSES} of {len(pairs):,} classes with most training samples; the JSON file has all."
    known = any(vocabulary.counts)
    rows = [(plain(name), f"{count:,}" if known else UNKNOWN) for name, count in pairs[:MOST_CLASSES]]
    yield table(("class", "training"), rows)


def _rule(text: str) -> str:
    meanings = {
        "train": "every class of the training split",
        "all-splits": "classes that are in the training, validation and test split",
        "rijks2014": "classes that are in all splits, and at least ten times in the test split",
        "min-count": "classes of the training split with so many samples over all splits",
        "listed": "classes in all splits that a list names",
    }
    word, _, value = text.partition("=")
    shown = f"{word}={last_part(value)}" if value else word
    return f"{code(shown)}, {meanings[word]}" if word in meanings else code(shown)


def _results(model: TrainedModel, run: RunRecord | None) -> Iterator[str]:
    if run is None or not run.figures:
        yield f"{UNKNOWN}: the run that made the model was not at hand. `arttl evaluate` measures it on any shards."
        return
    yield (
        f"Per cent, or for errors of numbers their own unit. Measured on the test split: {plain(run.samples())}. The"
        " interval holds 95% of bootstrap replicates; the majority baseline always predicts what is most frequent in"
        " training."
    )
    yield table(
        ("task", "measure", "value", "95% interval", "majority"),
        (tuple(map(plain, row)) for row in run.rows()),
        names=2,
    )
    for task in model.tasks:
        if task.name in run.classes:
            yield from _classes(task, run.classes[task.name])


def _classes(task: Task, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    most_frequent = sorted(rows, key=lambda row: -int(row["train"]) if row["train"].isdecimal() else 0)
    shown = most_frequent[:MOST_CLASSES]
    yield f"### Classes of {plain(task.name)}"
    if len(shown) < len(rows):
        yield f"The {len(shown)} of {len(rows):,} classes with most training samples; `classes.csv` has all."
    lines = [
        (
            plain(row["class"]),
            plain(row["most_often_mistaken_for"]),
            plain(row["train"]),
            plain(row["samples"]),
            *(per_cent(row[ratio], 2) for ratio in ("precision", "recall", "f1")),
        )
        for row in shown
    ]
    columns = ("class", "most often mistaken for", "training", "test", "precision %", "recall %", "F1 %")
    yield table(columns, lines, names=2)


def _promises(model: TrainedModel, promises: Promises | None) -> Iterator[str]:
    temperatures = model.temperatures
    suggester = Suggester(model.tasks, temperatures, promises, precision=PRECISION)
    yield "\n".join(f"- {plain(sentence)}" for sentence in suggester.sentences())
    if promises is None:
        return
    yield (
        "`arttl predict` calls a label `suggested` where this promise of precision holds for it, over validation sets"
        " drawn anew; any other precision can be asked for (`--precision`). `--sets 0.9` gives candidate sets that hold"
        " the true label of 90% of objects, if it is one of the model's classes. A picture is `outside` if it is unlike"
        " the training pictures; of validation objects at most one in twenty is. The evidence is in"
        " `promises.safetensors`, so that no labels are needed."
    )


def _limits(model: TrainedModel, run: RunRecord | None) -> Iterator[str]:
    limits = [
        "The promises and probabilities hold for pictures like those of the validation split. For another collection"
        " they are a hope.",
        "An object of a class that the model does not have gets one of its classes all the same.",
        "It learned from a catalogue's labels, with their gaps and mistakes.",
    ]
    for task in model.tasks:
        if task.kind == "number" or not any(task.vocabulary.counts):
            continue
        name, few = plain(task.name), sum(count < FEW for count in task.vocabulary.counts)
        if few:
            classes = counted(len(task.vocabulary), "class", "classes")
            limits.append(f"{name}: fewer than {FEW} training samples in {few:,} of {classes}.")
        rows = run.classes.get(task.name, ()) if run else ()
        if unseen := sum(row["samples"] == "0" for row in rows):
            limits.append(f"{name}: no sample in the test split of {counted(unseen, 'class', 'classes')}.")
    yield "\n".join(f"- {limit}" for limit in limits)


def _training(model: TrainedModel, run: RunRecord | None) -> Iterator[str]:
    provenance = model.provenance
    lines = [f"- mode: {plain(provenance.mode)}", f"- first weights: {plain(last_part(provenance.weights))}"]
    if run is None:
        lines.append(f"- settings: {UNKNOWN}, since the run that made the model was not at hand")
    else:
        shown = (code(f"{name}: {value}") for name, value in run.shown_settings().items())
        lines.append(f"- settings: {', '.join(shown)}")
    yield "\n".join(lines)
