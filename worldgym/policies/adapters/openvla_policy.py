"""OpenVLA and models like it in this process, through transformers:
"openvla:DIR?convention=bridge_v2&unnorm_key=bridge_orig&...".

The folder's own Python code is run, so the user must say trust_remote_code=yes. Prompt and call
follow OpenVLA's server (c8f03f4, vla-scripts/deploy.py). The published code runs with transformers
4.40 to 4.57, not with 5 (docs/policies/openvla.md). Example:
examples/policies/openvla_policy.py. Axes legend: B rows, h actions of a chunk, A numbers of an
action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from worldgym.actions.conventions import load_convention
from worldgym.errors import InputError, MissingExtra
from worldgym.io.devices import resolve_device
from worldgym.io.files import read_json
from worldgym.io.named_source import NamedSource
from worldgym.io.user_code import Failure, attempt
from worldgym.policies.policy_protocol import NEWEST_FRAME, Observation
from worldgym.types import Actions, ActionSpec, Trial

OPTIONS = ("convention", "unnorm_key", "trust_remote_code", "chunk", "attention", "device")
PROMPT = "In: What action should the robot take to {instruction}?\nOut:"
MAX_CHUNK = 1000


@dataclass(frozen=True)
class OpenVlaSettings:
    """unnorm_key: whose action statistics bring answers to units, "" where the model has one
    set.   chunk: actions per answer."""

    name: str
    spec: ActionSpec
    unnorm_key: str = ""
    chunk: int = 1


class OpenVLAPolicy:
    """One frame and an instruction in, greedy decoding, so no noise and no memory: the state is
    None."""

    def __init__(self, model: Any, processor: Any, settings: OpenVlaSettings) -> None:
        """model: with `predict_action`.   processor: (prompt, image) => its inputs."""
        self.name = settings.name
        self.spec = settings.spec
        self.chunk = settings.chunk
        self.needs = NEWEST_FRAME
        self._model = model
        self._processor = processor
        self._unnorm_key = settings.unnorm_key or None

    def reset(self, trials: Sequence[Trial]) -> list[None]:
        return [None] * len(trials)

    def act(
        self, states: Sequence[None], observations: Sequence[Observation]
    ) -> tuple[list[None], Actions]:
        """Row by row, as `predict_action` takes one image. Actions are clipped to the spec's
        bounds."""
        actions = np.stack([self._answer(observation) for observation in observations])
        return list(states), np.clip(actions, self.spec.low, self.spec.high).astype(np.float32)

    @torch.inference_mode()
    def _answer(self, observation: Observation) -> Actions:
        """[h, A]. InputError for an answer of another shape."""
        prompt = PROMPT.format(instruction=observation.instruction.lower())
        inputs = self._processor(prompt, Image.fromarray(observation.frame)).to(
            self._model.device, dtype=self._model.dtype
        )
        answer = self._model.predict_action(**inputs, unnorm_key=self._unnorm_key, do_sample=False)
        actions: Actions = np.atleast_2d(np.asarray(answer, np.float32))
        if len(actions) < self.chunk or actions.shape[1:] != (self.spec.size,):
            raise InputError(
                f"policy {self.name} answered with actions of shape {actions.shape} where "
                f"{(self.chunk, self.spec.size)} are "
                f"due; fix its options convention and chunk"
            )
        return actions[: self.chunk]


def load_openvla(source: NamedSource, device: str = "cpu") -> OpenVLAPolicy:
    """InputError where DIR holds no such model or the options do not fit it; MissingExtra without
    transformers.   device: what it computes on, unless the option device says otherwise."""
    source.check_options(*OPTIONS)
    device = resolve_device(source.options.get("device", device))
    spec = load_convention(
        source.needed("convention", "what its actions mean (see `worldgym data conventions`)")
    )
    folder = Path(source.place)
    key = source.options.get("unnorm_key", "")
    config = read_json(folder / "config.json", "a model that transformers can load")
    known = config.get("norm_stats")
    if isinstance(known, dict) and key not in known and (key or len(known) > 1):
        raise InputError(
            f'policy "{source.text}": unnorm_key is "{key}"; the model has statistics of '
            f"{', '.join(known)}"
        )
    if not source.flag("trust_remote_code"):
        raise InputError(
            f'policy "{source.text}" runs the Python files in {folder}: read them, then allow it '
            f"with &trust_remote_code=yes"
        )
    loaded = attempt(lambda: _load(folder, source, device))
    if isinstance(loaded, Failure):
        if isinstance(loaded.error, MissingExtra):
            raise loaded.error
        raise InputError(
            f"{folder}: transformers cannot load it ({' '.join(loaded.reason.split())[:500]})"
        ) from loaded.error
    model, processor = loaded
    if not callable(getattr(model, "predict_action", None)):
        raise InputError(
            f"{folder}: its {type(model).__name__} has no predict_action, so it is not a model "
            f"like OpenVLA"
        )
    return OpenVLAPolicy(
        model,
        processor,
        OpenVlaSettings(folder.resolve().name, spec, key, source.whole("chunk", 1, MAX_CHUNK)),
    )


def _load(folder: Path, source: NamedSource, device: str) -> tuple[Any, Any]:
    """=> (model, processor), weights in the type they were saved in, which for OpenVLA is 2 bytes
    each."""
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise MissingExtra("transformers", "openvla", "a policy like OpenVLA") from error
    if int(transformers.__version__.split(".")[0]) >= 5:
        loader, kind = transformers.AutoModelForImageTextToText, {"dtype": "auto"}
    else:
        loader, kind = transformers.AutoModelForVision2Seq, {"torch_dtype": "auto"}
    if attention := source.options.get("attention"):
        kind["attn_implementation"] = attention
    local = {"trust_remote_code": True, "local_files_only": True}
    model = loader.from_pretrained(folder, low_cpu_mem_usage=True, **local, **kind)
    return model.to(device).eval(), transformers.AutoProcessor.from_pretrained(folder, **local)
