"""Latents => frames on the host."""

from __future__ import annotations

import torch
from torch import Tensor

from worldgym.codecs.codec_protocol import Codec
from worldgym.codecs.compiled_codec import TOGETHER
from worldgym.types import Frames


def decoded_frames(codec: Codec, latents: Tensor) -> Frames:
    """latents [N, C, h, w] => uint8 [N, H, W, 3].

    On a CUDA GPU a few at a time: a part is copied through pinned memory, on its own stream,
    while the next is decoded. Rows of a batch always lie in the same parts, so that their numbers
    do not depend on their neighbours."""
    if not latents.is_cuda:
        return codec.decode(latents).cpu().numpy()
    host = torch.empty(len(latents), *codec.frame_shape, dtype=torch.uint8, pin_memory=True)
    copying = torch.cuda.Stream(latents.device)
    for start in range(0, len(latents), TOGETHER):
        part = codec.decode(latents[start : start + TOGETHER])
        copying.wait_stream(torch.cuda.current_stream(latents.device))
        with torch.cuda.stream(copying):
            host[start : start + len(part)].copy_(part, non_blocking=True)
        part.record_stream(copying)
    copying.synchronize()
    return host.numpy()
