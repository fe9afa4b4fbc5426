"""Where a dataset's own metadata may lead: to files within its folder, and no further."""

from __future__ import annotations

from pathlib import Path


def inside(path: Path, root: Path) -> bool:
    """Whether the file lies in the folder, links followed.

    Of a snapshot in a Hugging Face cache (REPOSITORY/snapshots/REVISION, whose files are links into
    REPOSITORY/blobs) the blobs of its own repository count as within.
    """
    target = path.resolve()
    root = root.resolve()
    return any(target.is_relative_to(folder) for folder in (root, *_blobs(root)))


def _blobs(root: Path) -> list[Path]:
    for folder in (root, *root.parents):
        blobs = folder.parent.parent / "blobs"
        if folder.parent.name == "snapshots" and blobs.is_dir() and not blobs.is_symlink():
            return [blobs]
    return []
