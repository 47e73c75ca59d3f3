"""`arttl export`: a trained model for programs other than arttl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arttl.console import Reporter
from arttl.cpu import prepare_cpu_for_inference
from arttl.errors import ArttlError
from arttl.export.comparison import LARGEST_DIFFERENCE, Pictures
from arttl.export.hub_folder import export_huggingface
from arttl.export.network import ExportedNetwork
from arttl.export.onnx_file import BATCH, check_packages, export_onnx
from arttl.export.run_record import run_of
from arttl.export.torch_program import export_torch
from arttl.models import TrainedModel, load_trained_model
from arttl.settings import FileToWrite, Settings
from arttl.tasks import Task

Format = Literal["onnx", "torch", "huggingface"]
_SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """Write a trained model for other programs, and compare what they give with what arttl gives.

    An .onnx or .pt2 file takes pictures as RGB between 0 and 1 and gives calibrated probabilities, one output per task;
    all arithmetic is inside. A folder for the Hugging Face Hub, which arttl and timm read, has the weights and a model
    card.
    """

    model: Path
    """Folder of a model, or of the run that made it."""
    to: Format
    """onnx for ONNX Runtime and others, torch for torch.export, huggingface for the Hub."""
    out: Path
    """File to write (.onnx or .pt2), or for huggingface the folder to make."""
    pictures: Path | None = None
    """Folder of pictures to compare on, the first 16 in it; by default drawn ones."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        suffix = _SUFFIXES.get(self.to)
        if suffix is None:
            if self.out.exists():
                raise ArttlError(f"--out {self.out} exists already: name a folder to be made")
            return
        if self.out.suffix.lower() != suffix:
            raise ArttlError(
                f"--out {self.out} has another suffix than --to {self.to}, which writes {suffix}"
            )
        FileToWrite().check("--out", self.out)


def export(settings: ExportSettings) -> None:
    """Write the file or folder, and print what it holds and how far it is from the model.

    Raises:
        ArttlError: if the model cannot be read or exported, packages are missing, or the results differ.
    """
    reporter = Reporter(True)
    if settings.to == "onnx":
        check_packages()
    model = load_trained_model(settings.model)
    prepare_cpu_for_inference()
    network = ExportedNetwork(model)
    pictures = (
        Pictures.drawn(network.inputs, model.preprocesses)
        if settings.pictures is None
        else Pictures.read(settings.pictures, network.inputs, model.preprocesses)
    )
    backbones = ", ".join(each.name for each in model.networks)
    reporter.say(f"model      {settings.model}, {backbones}")
    if settings.to == "huggingface":
        run = run_of(model)
        difference = export_huggingface(model, settings.out, pictures, run)
        if run is None:
            reporter.say("card       without figures: the run that made the model is not at hand")
    else:
        for each in network.inputs:
            size = each.square.size
            reporter.say(
                f"input      {each.name}: [{BATCH}, 3, {size}, {size}] float32, RGB between 0 and 1 ({each.steps})"
            )
        for task in model.tasks:
            reporter.say(f"output     {task.name}: {_output(task, model)}")
        if settings.to == "onnx":
            opset, difference = export_onnx(network, settings.out, pictures)
            reporter.say(f"opset      {opset}")
        else:
            difference = export_torch(network, settings.out, pictures)
    limit = f"{LARGEST_DIFFERENCE:g}"
    reporter.say(f"compared   {pictures.text}: largest difference {difference:.2g}, and {limit} is allowed")
    reporter.say(f"{'folder' if settings.to == 'huggingface' else 'file':<10} {settings.out}")
    reporter.say(f"next       {_next(settings)}")


def _output(task: Task, model: TrainedModel) -> str:
    if task.kind == "number":
        return f"[{BATCH}] float32, the number in its own unit"
    calibrated = model.calibration is not None and task.name in model.calibration.tasks
    kind = "calibrated probabilities" if calibrated else "probabilities, not calibrated"
    return f"[{BATCH}, {task.outputs}] float32, {kind}"


def _next(settings: ExportSettings) -> str:
    if settings.to == "huggingface":
        return f"fill in what {settings.out / 'README.md'} calls unknown, then: hf upload OWNER/NAME {settings.out}"
    return f"docs/export.md shows how a program reads {settings.out.name} and prepares its pictures"


def run(settings: ExportSettings) -> None:
    """Run the command."""
    export(settings)
