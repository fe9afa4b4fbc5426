"""Fixtures shared by all tests: small synthetic episodes, and real robot data where it is at
hand."""

from __future__ import annotations

import importlib.util
import lzma
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

# Before torch is imported, here and in commands that tests start: the networks of tests are small,
# and threads of one operation would wait for each other (a judge's training: 61 s instead of 5).
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before mujoco is imported by any test: it chooses its renderer then, and there is no screen.
os.environ.setdefault("MUJOCO_GL", "egl")

import hypothesis
import numpy as np
import pytest
from model_server import ModelServer

from worldgym.episodes.store import EpisodeStore
from worldgym.testing import FAKE_SPEC
from worldgym.types import Episode

hypothesis.settings.register_profile("worldgym", deadline=None)  # a busy machine is no error
hypothesis.settings.load_profile("worldgym")

REPOSITORY = Path(__file__).parent.parent

MakeEpisode = Callable[..., Episode]
LoadScript = Callable[[str], ModuleType]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests marked `reference` where the simulator is not installed."""
    if importlib.util.find_spec("metaworld") is None:
        skip = pytest.mark.skip(reason="needs the simulator: pip install -e '.[reference]'")
        for item in items:
            if item.get_closest_marker("reference"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    pytest.importorskip("openai", reason="the extra [openai] is not installed")
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def load_script(monkeypatch: pytest.MonkeyPatch) -> LoadScript:
    """load_script("benchmarks/size_speed.py"): a script as a module, which finds those beside
    it."""

    def load(path: str) -> ModuleType:
        file = REPOSITORY / path
        monkeypatch.syspath_prepend(file.parent)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, file.stem, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder of real robot data; skips where there is none."""
    folder = Path(os.environ.get("WORLDGYM_SAMPLE_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(
            f"no sample data: set WORLDGYM_SAMPLE_DATA to its folder ({folder} does not exist)"
        )
    return folder


@pytest.fixture(scope="session")
def unpacked_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with its weights unpacked, which is most of the work of loading them; skips where
    there is none. Shared: do not write to it."""
    bundle, root = (
        REPOSITORY / "worldgym" / "reference" / "bundle",
        tmp_path_factory.mktemp("bundle"),
    )
    if not (bundle / "world").exists():
        pytest.skip("no bundle yet")
    for part in bundle.iterdir():
        packed = part / "model.safetensors.xz"
        if packed.exists():
            shutil.copytree(part, root / part.name, ignore=shutil.ignore_patterns(packed.name))
            (root / part.name / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
        else:
            (root / part.name).symlink_to(part)
    return root


@pytest.fixture(scope="session")
def make_episode() -> MakeEpisode:
    """make_episode(seed=0, steps=8, size=32, **fields): a square that goes where the first two
    action numbers send it."""

    def make(seed: int = 0, steps: int = 8, size: int = 32, **fields: object) -> Episode:
        rng = np.random.default_rng(seed)
        actions = rng.uniform(-1.0, 1.0, (steps, FAKE_SPEC.size)).astype(np.float32)
        places = size / 2 + np.cumsum(np.vstack([np.zeros(2), 2.0 * actions[:, :2]]), axis=0)
        frames = np.full((steps + 1, size, size, 3), (40, 60, 90), np.uint8)
        for frame, (x, y) in zip(frames, places.clip(3, size - 4).astype(int), strict=True):
            frame[y - 3 : y + 4, x - 3 : x + 4] = (220, 120, 40)
        known = {
            "instruction": "push the square",
            "spec": FAKE_SPEC,
            "fps": FAKE_SPEC.rate_hz,
            "success": seed % 2 == 0,
        }
        told = {**known, "source": f"synthetic {seed}", **fields}
        return Episode(frames[:, None], actions, **told)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def episode_store(
    tmp_path_factory: pytest.TempPathFactory, make_episode: MakeEpisode
) -> EpisodeStore:
    """Three episodes of 8, 8 and 3 actions at 32x32, "square-0" to "square-2". Shared: do not write
    to it."""
    root = tmp_path_factory.mktemp("store")
    store = EpisodeStore.create(root, FAKE_SPEC, FAKE_SPEC.rate_hz)
    for seed, steps in enumerate((8, 8, 3)):
        store.write(
            f"square-{seed}",
            make_episode(seed, steps, extras={"seed": seed, "distance": [0.5] * (steps + 1)}),
        )
    return EpisodeStore(root)
