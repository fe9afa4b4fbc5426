"""A photo becomes a task: turned upright, cut to the shape of the world's frames, and resized."""

from __future__ import annotations

from pathlib import Path

from worldgym.episodes.recording import SourceOptions
from worldgym.errors import InputError
from worldgym.io.images import cut_to_shape, resized, upright_picture
from worldgym.types import Frames

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTOS and path.is_file()


def photo_frame(path: Path, options: SourceOptions) -> Frames:
    """The photo at the size of the options, its edges cut off evenly where it is wider or higher;
    as large as it is without one. InputError for options of recordings."""
    if SourceOptions(size=options.size, instruction=options.instruction) != options:
        raise InputError(f"{path}: is a photo, for which there are --instruction and --size alone")
    frame = upright_picture(path)
    if options.size is None:
        return frame
    return resized(cut_to_shape(frame, options.size), options.size)
