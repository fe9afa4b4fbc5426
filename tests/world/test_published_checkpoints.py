"""An imported checkpoint gives the published sampler's pictures.

The reference below follows docs/world-model.md in plain loops and shares no line with the package:
a frame's window is recomputed at every step, rotary positions are complex numbers, and the input
layer is a convolution."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from worldgym.actions.conventions import convention, convention_of
from worldgym.cli import main
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import load_folder
from worldgym.policies.adapters.converted import spoken_in
from worldgym.testing import FakePolicy
from worldgym.world.model import DiffusionWorld
from worldgym.world.noise import frame_noise
from worldgym.world.published_checkpoints import converted_weights, import_published, network_of
from worldgym.world.published_request import PublishedImport, Rope, Tables
from worldgym.world.sampler import SAMPLERS
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_config import WorldConfig

WIDTH, HEADS, PAIRS, CHANNELS, GRID, PATCH, A = 32, 2, 2, 4, 8, 2, 10
Weights = dict[str, torch.Tensor]


def released_weights(seed: int = 0) -> Weights:
    """A state dict under the released names, none of its numbers zero."""
    generator = torch.Generator().manual_seed(seed)

    def linear(name: str, out: int, into: int, bias: bool = True) -> Weights:
        found = {f"{name}.weight": torch.randn(out, into, generator=generator) / math.sqrt(into)}
        return found | (
            {f"{name}.bias": 0.1 * torch.randn(out, generator=generator)} if bias else {}
        )

    weights = linear("x_proj", WIDTH, CHANNELS * PATCH**2)
    weights["x_proj.weight"] = weights["x_proj.weight"].view(WIDTH, CHANNELS, PATCH, PATCH)
    weights |= (
        linear("timestep_mlp.0", WIDTH, 256)
        | linear("timestep_mlp.2", WIDTH, WIDTH)
        | linear("action_embedder", WIDTH, A)
    )
    for block in (f"blocks.{i}.{kind}" for i in range(PAIRS) for kind in ("s_block", "t_block")):
        weights |= linear(f"{block}.adaLN_modulation.1", 6 * WIDTH, WIDTH)
        weights |= linear(f"{block}.attn.qkv_proj", 3 * WIDTH, WIDTH, bias=False) | linear(
            f"{block}.attn.out_proj", WIDTH, WIDTH
        )
        weights |= linear(f"{block}.ffwd.0", 4 * WIDTH, WIDTH) | linear(
            f"{block}.ffwd.2", WIDTH, 4 * WIDTH
        )
    weights |= linear("final_layer.adaLN_modulation.1", 2 * WIDTH, WIDTH)
    return weights | linear("final_layer.linear", PATCH**2 * CHANNELS, WIDTH)


def spaced(start: float, end: float, count: int, made: torch.dtype) -> torch.Tensor:
    """As CUDA spaces numbers of a short format: from both ends, each step rounded."""
    if made == torch.float32:
        return torch.linspace(start, end, count)

    def short(value: float) -> float:
        return float(torch.tensor(value, dtype=made))

    step = short((end - start) / (count - 1))
    half = [short(start + short(step * i)) for i in range(count // 2)]
    rest = [short(end - short(step * (count - 1 - i))) for i in range(count // 2, count)]
    return torch.tensor(half + rest, dtype=made)


class Reference:
    """Network and sampler as described in docs/world-model.md."""

    def __init__(
        self, weights: Weights, pixel: bool, cfg: float, made: torch.dtype = torch.float32
    ) -> None:
        """made: the number format of all steps of a rotary table."""
        self.w, self.pixel, self.cfg, self.made = weights, pixel, cfg, made
        t = np.arange(1001) / 1000
        curve = 1 / (1 + math.exp(-3)) - 1 / (1 + np.exp(-(6 * t - 3)))
        betas = np.clip(1 - curve[1:] / curve[:-1], 0, 0.999)
        self.kept = np.cumprod(1 - betas)  # cumulative product of alphas

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"))

    def mlp(self, x: torch.Tensor, name: str, act: str) -> torch.Tensor:
        hidden = self.linear(x, f"{name}.0")
        if act == "gelu":
            gate = 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
        else:
            gate = torch.sigmoid(hidden)
        return self.linear(hidden * gate, f"{name}.2")

    def turned(self, x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        """x [..., E], angle [..., E / 2]: features 2 i and 2 i + 1 as one complex number."""
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
        turn = torch.complex(angle.cos().float(), angle.sin().float())
        return torch.view_as_real(pairs * turn).flatten(-2)

    def place_angles(self) -> torch.Tensor:
        """[h, w, head_dim / 2]: the first half by the row, the second by the column."""
        size, quarter = GRID // PATCH, WIDTH // HEADS // 4
        if self.pixel:
            frequency, places = (
                spaced(1, 128, quarter, self.made) * math.pi,
                spaced(-1, 1, size, self.made),
            )
        else:
            frequency, places = self.frequencies(quarter), torch.arange(size).to(self.made)
        rows = [
            [torch.cat([places[r] * frequency, places[c] * frequency]) for c in range(size)]
            for r in range(size)
        ]
        return torch.stack([torch.stack(row) for row in rows])

    def frequencies(self, count: int) -> torch.Tensor:
        return 1 / 10000.0 ** (torch.arange(count).to(self.made) / count)

    def attention(
        self, x: torch.Tensor, angle: torch.Tensor, causal: bool, name: str
    ) -> torch.Tensor:
        """x [..., L, D], angle [L, head_dim / 2]."""
        q, k, v = self.linear(x, f"{name}.qkv_proj").chunk(3, dim=-1)
        size, outs = WIDTH // HEADS, []
        for head in range(HEADS):
            mine = slice(head * size, (head + 1) * size)
            logits = (
                self.turned(q[..., mine], angle)
                @ self.turned(k[..., mine], angle).mT
                / math.sqrt(size)
            )
            if causal:
                logits = logits.masked_fill(torch.ones_like(logits).triu(1).bool(), -math.inf)
            outs.append(logits.softmax(-1) @ v[..., mine])
        return self.linear(torch.cat(outs, -1), f"{name}.out_proj")

    def norm(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()

    def network(self, x: torch.Tensor, levels: list[int], actions: torch.Tensor) -> torch.Tensor:
        """x [T, C, h, w], actions [T, A] => v [T, C, h, w]."""
        frames, size = len(x), GRID // PATCH
        # [T, h, w, D]
        h = F.conv2d(x, self.w["x_proj.weight"], self.w["x_proj.bias"], stride=PATCH).permute(
            0, 2, 3, 1
        )
        frequency = torch.exp(-math.log(10000) * torch.arange(128) / 128)
        waves = torch.stack(
            [torch.cat([(level * frequency).cos(), (level * frequency).sin()]) for level in levels]
        )
        c = self.mlp(waves, "timestep_mlp", "silu") + self.linear(actions, "action_embedder")
        places = self.place_angles().flatten(0, 1)
        half = WIDTH // HEADS // 2
        times = torch.arange(frames).to(self.made)[:, None] * self.frequencies(half)
        for block in range(PAIRS):
            for kind in ("s_block", "t_block"):
                name = f"blocks.{block}.{kind}"
                m = self.linear(c * torch.sigmoid(c), f"{name}.adaLN_modulation.1")[
                    :, None, None
                ].chunk(6, dim=-1)
                seen = self.norm(h) * (1 + m[1]) + m[0]
                tokens = seen.flatten(1, 2)  # [T, N, D]
                if kind == "s_block":
                    told = self.attention(tokens, places, False, f"{name}.attn").view(h.shape)
                else:
                    told = (
                        self.attention(tokens.transpose(0, 1), times, True, f"{name}.attn")
                        .transpose(0, 1)
                        .view(h.shape)
                    )
                h = h + told * m[2]
                h = h + self.mlp(self.norm(h) * (1 + m[4]) + m[3], f"{name}.ffwd", "gelu") * m[5]
        shift, scale = self.linear(c * torch.sigmoid(c), "final_layer.adaLN_modulation.1")[
            :, None, None
        ].chunk(2, dim=-1)
        out = self.linear(self.norm(h) * (1 + scale) + shift, "final_layer.linear")
        v = torch.empty_like(x)
        for r in range(size):
            for s in range(size):
                patch = out[:, r, s].view(frames, PATCH, PATCH, CHANNELS).permute(0, 3, 1, 2)
                v[:, :, r * PATCH : (r + 1) * PATCH, s * PATCH : (s + 1) * PATCH] = patch
        return v

    def guided(self, x: torch.Tensor, levels: list[int], actions: torch.Tensor) -> torch.Tensor:
        v = self.network(x, levels, actions)
        if self.cfg == 1.0:
            return v
        null = torch.zeros_like(actions)
        null[:, -1] = 1
        return (1 - self.cfg) * self.network(x, levels, null) + self.cfg * v

    def rollout(
        self, start: torch.Tensor, actions: torch.Tensor, noise: torch.Tensor, chunk: int
    ) -> torch.Tensor:
        """start [C, h, w], actions [T, A], noise [T, C, h, w] => latents [T, C, h, w]."""
        grid = [round(level) for level in np.linspace(-1, 999, 11)]
        x, shown = start[None], torch.cat([torch.zeros(1, A), actions])
        for first in range(1, len(actions) + 1, chunk):
            count = min(chunk, len(actions) + 1 - first)
            x = torch.cat([x, noise[first - 1 : first - 1 + count]])
            begin = max(0, first + count - 20)
            for call in range(10 + count - 1):
                now = [-1] * first + [grid[min(10, max(0, 10 - call + i))] for i in range(count)]
                then = [-1] * first + [
                    grid[min(10, max(0, 10 - call - 1 + i))] for i in range(count)
                ]
                fed = [14 if level < 0 else level for level in now]
                seen = torch.stack(
                    [f * self.root(14) if level < 0 else f for f, level in zip(x, now, strict=True)]
                )
                v = self.guided(seen[begin:], fed[begin:], shown[begin : first + count])
                for f in range(first, first + count):
                    if now[f] != then[f]:
                        x[f] = self.ddim(x[f], v[f - begin], now[f], then[f])
        return x[1:]

    def root(self, level: int) -> float:
        return 1.0 if level < 0 else math.sqrt(self.kept[level])

    def ddim(self, x: torch.Tensor, v: torch.Tensor, now: int, then: int) -> torch.Tensor:
        signal, rest = self.root(now), math.sqrt(1 - self.root(now) ** 2)
        clean = signal * x - rest * v
        eps = (x - signal * clean) / rest
        return self.root(then) * clean + math.sqrt(1 - self.root(then) ** 2) * eps


FRAMES = 28  # the window of 20 moves on 8 times and more


class Codec:
    """Latents are given: frames say which of two starts is meant."""

    latent_shape, frame_shape, fingerprint, latents = (
        (CHANNELS, GRID, GRID),
        (64, 64, 3),
        "none",
        "none",
    )

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [frame_noise(int(frame.max()), 0, self.latent_shape) for frame in frames]
        )

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(latents), *self.frame_shape, dtype=torch.uint8)


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiffusionWorld:
    """The file's other branch holds other weights: the averaged ones must be taken."""
    monkeypatch.setattr(
        "worldgym.world.world_checkpoint.load_codec", lambda folder, device: Codec()
    )
    torch.save(
        {"ema": released_weights(), "model": released_weights(1), "optimizer": {}, "step": 7},
        tmp_path / "released.pt",
    )
    import_published(
        PublishedImport(
            tmp_path / "released.pt",
            tmp_path / "out",
            rope="standard",
            heads=HEADS,
            size=8 * GRID,
            cfg=3.0,
        )
    )
    return load_diffusion_world(tmp_path / "out", dtype="float32")


def rollout(world: DiffusionWorld, actions: np.ndarray, chunk: int) -> torch.Tensor:
    state, pieces = world.reset(np.full((1, 1, 64, 64, 3), 5, np.uint8), [3]), []
    for start in range(0, len(actions), chunk):
        state, frames = world.step(state, actions[None, start : start + chunk])
        pieces.append(state.context.latents[0, -frames.shape[1] :])
    return torch.cat(pieces)


@pytest.mark.parametrize(
    ("chunk", "rope", "tables", "cfg"),
    [
        (1, "pixel", "exact", 1.0),
        (2, "standard", "exact", 3.0),
        (4, "pixel", "exact", 1.0),
        (2, "pixel", None, 1.0),
        (1, "pixel", "released", 3.0),
        (2, "standard", "bfloat16", 1.0),
    ],
)
def test_a_rollout_past_the_window_agrees_with_the_published_method(
    chunk: int,
    rope: Rope,
    tables: Tables | None,
    cfg: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With tables of bfloat16 where pixel positions are learned and nothing else is said."""
    monkeypatch.setattr(
        "worldgym.world.world_checkpoint.load_codec", lambda folder, device: Codec()
    )
    torch.save(released_weights(), tmp_path / "bare.pt")
    import_published(
        PublishedImport(
            tmp_path / "bare.pt",
            tmp_path / "out",
            rope,
            tables,
            cfg=cfg,
            heads=HEADS,
            size=8 * GRID,
        )
    )
    world = load_diffusion_world(tmp_path / "out", dtype="float32")
    actions = np.random.default_rng(0).uniform(-1, 1, (FRAMES, A)).astype(np.float32)
    noise = torch.stack(
        [frame_noise(3, frame, Codec.latent_shape) for frame in range(1, FRAMES + 1)]
    )
    start = frame_noise(5, 0, Codec.latent_shape)
    made = {"exact": torch.float32, "released": torch.float16}.get(tables or "", torch.bfloat16)
    reference = Reference(released_weights(), rope == "pixel", cfg, made)
    expected = reference.rollout(start, torch.from_numpy(actions), noise, chunk)
    found = rollout(world, actions, chunk)
    assert 0.1 < float(expected.std()) < 100
    assert float((found - expected).norm() / expected.norm()) < 1e-5


def test_the_averaged_branch_is_taken_and_settings_are_kept(imported: DiffusionWorld) -> None:
    theirs = released_weights()
    assert torch.equal(imported.network.action_embedder.weight, theirs["action_embedder.weight"])
    assert torch.equal(imported.network.final_linear.bias, theirs["final_layer.linear.bias"])
    assert imported.config.sampler == imported.with_sampler("paper").config.sampler
    assert imported.config.sampler.cfg == 3.0 and SAMPLERS["paper"].cfg == 1.0
    assert imported.spec.size == 10


def test_every_weight_is_used_or_named() -> None:
    request = PublishedImport(Path("x.pt"), Path("out"), heads=HEADS, size=64)
    for name in released_weights():
        short = released_weights()
        del short[name]
        with pytest.raises(CheckpointError) as error:
            converted_weights(short, network_of(short, request))
        assert name in str(error.value)
    with pytest.raises(CheckpointError, match=r"not known: blocks\.0\.extra"):
        extra = released_weights() | {"blocks.0.extra": torch.zeros(1)}
        converted_weights(extra, network_of(extra, request))
    with pytest.raises(CheckpointError, match=r"another shape: timestep_mlp\.2\.bias"):
        cut = released_weights() | {"timestep_mlp.2.bias": torch.zeros(3)}
        converted_weights(cut, network_of(cut, request))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04cut short"])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bad.pt"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"bad\.pt"):
        import_published(PublishedImport(file, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_file_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    torch.save({"ema": Path("a class that is no tensor")}, tmp_path / "code.pt")
    with pytest.raises(CheckpointError, match=r"code\.pt"):
        import_published(PublishedImport(tmp_path / "code.pt", tmp_path / "out"))


def test_the_command_line_imports_and_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"model": released_weights()}, tmp_path / "released.pt")
    words = [
        "world",
        "import",
        str(tmp_path / "released.pt"),
        "--out",
        str(tmp_path / "out"),
        "--rope",
        "pixel",
        "--cfg",
        "3.0",
    ]
    main([*words, "--heads", str(HEADS), "--size", "64"])
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "world")
    config = WorldConfig.from_json(load_folder(tmp_path / "out" / "world", "world")[0])
    assert config.network.positions == "rotary_pixel"
    assert config.network.rotary_tables == "bfloat16" and config.sampler.rule == "recompute"
    with pytest.raises(CheckpointError, match="--rotary-tables exact"):
        replace(config, sampler=replace(config.sampler, rule="rolling")).check()
    with pytest.raises(SystemExit) as stop:
        main(words)  # 16 heads of 2
    assert stop.value.code == 2 and capsys.readouterr().err.startswith("worldgym: a width of 32")


def test_heads_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    torch.save(released_weights(), tmp_path / "bare.pt")
    with pytest.raises(InputError, match="--heads"):
        import_published(PublishedImport(tmp_path / "bare.pt", tmp_path / "out", heads=7))
    with pytest.raises(InputError, match="no such file"):
        import_published(PublishedImport(tmp_path / "none.pt", tmp_path / "out"))
    with pytest.raises(InputError, match="--heads is 0: give 1 or more"):
        import_published(PublishedImport(tmp_path / "bare.pt", tmp_path / "out", heads=0))
    with pytest.raises(InputError, match="--size is -256"):
        import_published(PublishedImport(tmp_path / "bare.pt", tmp_path / "out", size=-256))


@pytest.mark.parametrize(
    "change",
    [
        {1: torch.zeros(1)},
        {"action_embedder.weight": torch.zeros(3)},
        {"x_proj.weight": torch.zeros(8, 2, 0, 0)},
    ],
)
def test_weights_of_odd_names_and_forms_are_refused(
    change: dict[Any, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(released_weights() | change, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=r"odd\.pt"):
        import_published(
            PublishedImport(tmp_path / "odd.pt", tmp_path / "out", heads=HEADS, size=8 * GRID)
        )


def test_an_imported_world_is_spoken_to_by_policies_of_bridge(imported: DiffusionWorld) -> None:
    assert convention_of(imported.spec) == "released_10"
    policy = spoken_in(FakePolicy(spec=convention("bridge_v2")), imported.spec)
    assert policy.spec == imported.spec


def test_a_checkpoint_of_the_flow_matching_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x_t = (1 - t) x + t eps, v = eps - x, finished frames at level 10 of 1000; by the reference's
    network, in Euler's steps over a row of equal ones."""
    monkeypatch.setattr(
        "worldgym.world.world_checkpoint.load_codec", lambda folder, device: Codec()
    )
    torch.save(released_weights(), tmp_path / "bare.pt")
    import_published(
        PublishedImport(
            tmp_path / "bare.pt",
            tmp_path / "out",
            "standard",
            flow=True,
            heads=HEADS,
            size=8 * GRID,
        )
    )
    world = load_diffusion_world(tmp_path / "out", dtype="float32")
    actions = np.random.default_rng(0).uniform(-1, 1, (3, A)).astype(np.float32)
    reference = Reference(released_weights(), False, 1.0)
    x = frame_noise(5, 0, Codec.latent_shape)[None]
    shown = torch.cat([torch.zeros(1, A), torch.from_numpy(actions)])
    for frame in range(1, 4):
        x = torch.cat([x, frame_noise(3, frame, Codec.latent_shape)[None]])
        for level in range(1000, 0, -100):
            levels = [10] * frame + [level]
            v = reference.network(x, levels, shown[: frame + 1])
            x[frame] -= 0.1 * v[frame]
    found = rollout(world, actions, 1)
    assert float((found - x[1:]).norm() / x[1:].norm()) < 1e-5


@pytest.mark.parametrize(
    ("name", "weight", "said"),
    [
        ("\x1b[31mextra\n", torch.ones(1), r"not known: \?\[31mextra\?\)"),
        ("blocks.0.s_block.ffwd.0.weight", torch.ones(3, WIDTH), "no published checkpoint"),
        ("action_embedder.weight", torch.ones(WIDTH, 0), "no published checkpoint"),
    ],
)
def test_odd_names_and_sizes_are_refused_in_one_sentence(
    tmp_path: Path, name: str, weight: torch.Tensor, said: str
) -> None:
    torch.save(released_weights() | {name: weight}, tmp_path / "odd.pt")
    request = PublishedImport(tmp_path / "odd.pt", tmp_path / "out", "pixel", heads=HEADS, size=64)
    with pytest.raises(CheckpointError, match=said) as error:
        import_published(request)
    assert str(error.value).isprintable()
