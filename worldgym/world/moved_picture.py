"""The initial frame's picture of every view, moved as its camera moved.

A camera at the hand sees a table pass by: nearly one plane, so that two pictures of it differ by a
homography, whatever lies between them. Its eight numbers follow from the sums of the actions; a
small network learns them from pictures alone (`worldgym.train.motion_training`). What is moved is a
coarse picture drawn from the codec's latents, because latents do not move with what they show.

Shapes: N pictures, V views, C latent channels, h and w of one view's latents, S = SCALE, A numbers
shown with a frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.world.network_config import HOMOGRAPHY, DiTConfig

SCALE = 4  # pixels of the picture along a latent's side
WIDTH = 64  # channels of the convolutions that draw it
HIDDEN = 128
SPREAD = 3.0  # of numbers shown, before the first layer: sums are shown at a tenth of their size
NEAR = 0.1  # smallest depth, of the initial picture's: what lies behind the camera is out of sight


class MovedPicture(nn.Module):
    """Draws coarse pictures, and says where the camera went."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        channels = config.latent_shape[0]
        self.cameras = config.cameras
        self.sums_from = config.sums_from
        self.draw = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(WIDTH, 3 * SCALE**2, 3, padding=1),
            nn.PixelShuffle(SCALE),
        )
        self.led = nn.Sequential(
            nn.Linear(config.action_size - 1 - config.sums_from, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, HOMOGRAPHY * config.cameras),
        )

    def initialize(self) -> None:
        """A new one leaves every picture where it is."""
        last = self.led[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def homographies(self, shown: Tensor) -> Tensor:
        """shown [..., A] => [..., 8 V], of each view, less the identity: see `moved_by`. Computed
        in float32: three layers of rounded numbers would shake the picture. From the sums alone:
        beside them, the last action teaches it a worse optimum (dev/LOG.md, 2026-12-01)."""
        x = SPREAD * shown[..., self.sums_from : -1].float()
        for layer in self.led:
            x = layer(x) if isinstance(layer, nn.SiLU) else _linear(layer, x)
        return x

    def pictures(self, latents: Tensor) -> Tensor:
        """[N, C, h, w] => [N, 3, S h, S w], about -1 to 1."""
        drawn: Tensor = self.draw(latents)
        return drawn


def moved_by(pictures: Tensor, by: Tensor) -> Tensor:
    """pictures [N, C, H, W], by [N, 8] => [N, C + 1, H, W]: each moved, and 1 where something of it
    is in sight.

    by: rows a b c, d e f, g h of I + [[a b c], [d e f], [g h 0]], which takes a place (x, y, 1) of
    the new picture, from -1 to 1, to where the old one shows the same."""
    count, _, height, width = pictures.shape
    by = by.float()
    down, across = (
        torch.linspace(1 / size - 1, 1 - 1 / size, size, device=pictures.device)
        for size in (height, width)
    )
    y, x = torch.meshgrid(down, across, indexing="ij")
    a, b, c, d, e, f, g, h = by[:, :, None, None].unbind(1)
    depth = 1 + g * x + h * y
    safe = depth.clamp(min=NEAR)
    places = torch.stack([(x + a * x + b * y + c) / safe, (y + d * x + e * y + f) / safe], dim=-1)
    seen = (places.abs() <= 1).all(-1) & (depth >= NEAR)
    found = F.grid_sample(pictures, places, padding_mode="zeros", align_corners=False)
    return torch.cat([found, seen.view(count, 1, height, width).to(found.dtype)], dim=1)


def _linear(layer: nn.Module, x: Tensor) -> Tensor:
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
    return F.linear(x, weight.float(), bias.float())
