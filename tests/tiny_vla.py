"""Writes a folder with a tiny model of OpenVLA's shape: its own Python files, config with
statistics, weights, processor.

Written for these tests; what it shares with OpenVLA is the outside: `predict_action(...,
unnorm_key, do_sample)`, action tokens in 256 bins, statistics by name, a processor called with
(prompt, image).
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

MODELING = '''
"""A tiny vision-language-action model: pixels and tokens in, seven action tokens out."""

import numpy as np
import torch
from transformers import PretrainedConfig, PreTrainedModel


class TinyVLAConfig(PretrainedConfig):
    model_type = "tiny_vla"

    def __init__(self, vocab_size=64, width=8, numbers=7, norm_stats=None, **kwargs):
        self.vocab_size, self.width = vocab_size, width
        self.numbers, self.norm_stats = numbers, norm_stats
        super().__init__(**kwargs)


class TinyVLA(PreTrainedModel):
    config_class = TinyVLAConfig

    def __init__(self, config):
        super().__init__(config)
        self.words = torch.nn.Embedding(config.vocab_size, config.width)
        self.pixels = torch.nn.Conv2d(3, config.width, 8, 8)
        self.head = torch.nn.Linear(config.width, config.numbers * 256)
        self.post_init()

    def _init_weights(self, module):
        pass

    def predict_action(
        self,
        input_ids=None,
        unnorm_key=None,
        pixel_values=None,
        attention_mask=None,
        do_sample=True,
    ):
        assert not do_sample and input_ids.shape[0] == 1
        if unnorm_key is None:
            (unnorm_key,) = self.config.norm_stats
        stats = self.config.norm_stats[unnorm_key]["action"]
        seen = self.words(input_ids).mean(1) + self.pixels(pixel_values.to(self.dtype)).mean((2, 3))
        bins = self.head(seen).view(self.config.numbers, 256).argmax(-1).numpy()
        unit = np.linspace(-1, 1, 256)[bins]
        low, high = np.array(stats["q01"]), np.array(stats["q99"])
        return np.where(stats["mask"], 0.5 * (unit + 1) * (high - low) + low, unit)
'''

PROCESSING = '''
"""Words to numbers and an image to a tensor."""

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin


class TinyProcessor(ProcessorMixin):
    @classmethod
    def from_pretrained(cls, folder, **kwargs):
        return cls()

    def __init__(self):
        pass

    def __call__(self, text, images):
        assert text.startswith("In: What action should the robot take to ")
        assert text.endswith("?\\\\nOut:")
        ids = [sum(word.encode()) % 64 for word in text.split()]
        pixels = np.asarray(images.convert("RGB").resize((32, 32)), np.float32) / 255.0
        data = {"input_ids": [ids], "attention_mask": [[1] * len(ids)]}
        data["pixel_values"] = pixels.transpose(2, 0, 1)[None]
        return BatchFeature(data, tensor_type="pt")
'''

# what transformers 4 and 5 look for
NAMES = ("AutoModelForVision2Seq", "AutoModelForImageTextToText")
STATISTICS = {
    "action": {
        "q01": [-0.05] * 3 + [-0.2] * 3 + [0.0],
        "q99": [0.05] * 3 + [0.2] * 3 + [1.0],
        "mask": [True] * 6 + [False],
    }
}


def write_tiny_vla(folder: Path, keys: tuple[str, ...] = ("bridge_orig",)) -> Path:
    """The folder, as `save_pretrained` with remote code leaves it."""
    import torch

    folder.mkdir(parents=True)
    (folder / "modeling_tiny.py").write_text(MODELING)
    (folder / "processing_tiny.py").write_text(PROCESSING.replace("\\\\n", "\\n"))
    module = _imported(folder / "modeling_tiny.py")
    torch.manual_seed(0)
    model = module.TinyVLA(module.TinyVLAConfig(norm_stats=dict.fromkeys(keys, STATISTICS))).to(
        torch.bfloat16
    )
    model.save_pretrained(folder)
    auto = {
        "AutoConfig": "modeling_tiny.TinyVLAConfig",
        **dict.fromkeys(NAMES, "modeling_tiny.TinyVLA"),
    }
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": auto}
    (folder / "config.json").write_text(json.dumps(config))
    processor = {
        "processor_class": "TinyProcessor",
        "auto_map": {"AutoProcessor": "processing_tiny.TinyProcessor"},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    (folder / "processor_config.json").write_text(json.dumps(processor))
    return folder


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
