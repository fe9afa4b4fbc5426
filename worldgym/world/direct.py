"""Frames drawn directly from the initial one, without any frame between them.

What is carried from frame to frame loses sharpness with every step; what is drawn from the initial
frame loses none on the way. So a U-Net (Ronneberger et al. 2015, arXiv 1505.04597) draws each frame
by itself from the latents of the initial one, told the sum of the actions, and shown the initial
picture moved as the camera moved (`worldgym.world.moved_picture`). It knows nothing of what
happened meanwhile; the transformer, which is shown its frames, does. Trained before the rest
(`worldgym.train.direct_training`) and fixed from then on.

Shapes: B batch, T frames, V views, C latent channels, h and w of one view, W width of the U-Net, D
width of the transformer, N tokens, A numbers shown with a frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.errors import CheckpointError
from worldgym.world.carrier import CarrierBlock
from worldgym.world.conditioning import octaves
from worldgym.world.moved_picture import SCALE, MovedPicture, moved_by
from worldgym.world.network_config import HOMOGRAPHY, DiTConfig
from worldgym.world.patches import patchify
from worldgym.world.view_latents import apart, stacked

LOOK = 32  # channels, for each view, of what is made of its moved picture
HALVINGS = 2
# widths of the pairs of convolutions in the order in which they are passed, in units of W; half the
# resolution between 1 and 2, and between 2 and 4
PASSED = (1, 2, 4, 4, 2, 1)


class Direct(nn.Module):
    """Of all views together."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        channels, height, width = config.latent_shape
        if height % 2**HALVINGS or width % 2**HALVINGS:
            raise CheckpointError(
                f"latents of {height} x {width} cannot be halved {HALVINGS} times, as frames drawn "
                f"directly need: use a codec with another size, or direct_width 0"
            )
        if config.embodiments > 1:
            raise CheckpointError(
                "frames are drawn directly for one robot alone: give direct_width 0"
            )
        self.cameras = config.cameras
        self.patch = config.patch
        self.octaves = config.action_octaves
        views = channels * config.cameras
        inner = config.direct_width
        self.widths = [4 * inner * times for times in PASSED]
        self.picture = MovedPicture(config)
        self.tell = nn.Sequential(
            nn.Linear(config.action_features, config.width),
            nn.SiLU(),
            nn.Linear(config.width, sum(self.widths)),
        )
        self.look = nn.Conv2d(4, LOOK, SCALE, stride=SCALE)
        self.enter = nn.Conv2d(views + LOOK * config.cameras, inner, 3, padding=1)
        self.places = nn.Parameter(torch.zeros(inner, height, width))
        self.blocks = nn.ModuleList(CarrierBlock(inner * times) for times in PASSED)
        self.down = nn.ModuleList(
            nn.Conv2d(inner * times, 2 * inner * times, 2, stride=2) for times in (1, 2)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * inner * times, inner * times, 2, stride=2) for times in (2, 1)
        )
        self.leave = nn.Conv2d(inner, 2 * views, 3, padding=1)
        self.let_through = nn.Linear(config.width, channels)

    def initialize(self) -> None:
        """A new one draws the initial frame again, and lets nothing of it through."""
        self.picture.initialize()
        for name, parameter in self.named_parameters():
            if name.startswith(("leave", "let_through")) or ".second." in name:
                nn.init.zeros_(parameter)

    def told(self, shown: Tensor) -> Tensor:
        """shown [..., A], with each frame => [..., 8 V + A], what it is drawn by."""
        return torch.cat([self.picture.homographies(shown), shown], dim=-1)

    def forward(self, initial_frame: Tensor, told: Tensor) -> Tensor:
        """initial_frame [B, C, V h, w], told [B, T, 8 V + A] => [B, T, C, V h, w]."""
        frames, cameras = told.shape[1], self.cameras
        by = told[..., : HOMOGRAPHY * cameras].unflatten(-1, (cameras, HOMOGRAPHY))
        shown = told[..., HOMOGRAPHY * cameras :]
        views = apart(initial_frame, cameras)  # [B, V, C, h, w]
        pictures = self.picture.pictures(views.flatten(0, 1)).float()
        every = pictures.unflatten(0, (-1, 1, cameras)).expand(-1, frames, -1, -1, -1, -1)
        seen = moved_by(every.flatten(0, 2), by.flatten(0, 2)).to(views.dtype)
        looked = self.look(seen).unflatten(0, (-1, cameras)).flatten(1, 2)
        still = views.flatten(1, 2)[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
        x = torch.cat([still, looked], 1).contiguous(memory_format=torch.channels_last)
        drawn, kept = self._through(x, shown).chunk(2, dim=1)
        frame = still * (1 + kept) + drawn
        return stacked(frame.unflatten(1, (cameras, -1)).unflatten(0, (-1, frames)))

    def passed(self, h: Tensor, frames: Tensor) -> Tensor:
        """h [B, T, N, D] tokens behind all blocks, frames as drawn [B, T, C, V h, w] => [B, T, N,
        P], to be taken from the output: as much of each channel as a token lets through."""
        known = self.let_through(h).unsqueeze(-2)
        shown = patchify(frames, self.patch).unflatten(-1, (-1, frames.shape[2]))
        return (shown * known).flatten(-2)

    def _through(self, x: Tensor, shown: Tensor) -> Tensor:
        """x [B T, ., h, w], shown [B, T, A] => the U-Net's output [B T, 2 V C, h, w]."""
        features = octaves(shown, self.octaves).to(x.dtype)
        parts = self.tell(features).flatten(0, 1).split(self.widths, dim=-1)
        by = [part.unflatten(-1, (4, -1)) for part in parts]
        x = self.enter(x) + self.places
        beside = []
        for level, halved in enumerate(self.down):
            x = self.blocks[level](x, by[level])
            beside.append(x)
            x = halved(x)
        for level in (HALVINGS, HALVINGS + 1):
            x = self.blocks[level](x, by[level])
        for level, doubled in enumerate(self.up, HALVINGS + 2):
            x = self.blocks[level](F.silu(doubled(x)) + beside.pop(), by[level])
        drawn: Tensor = self.leave(x)
        return drawn
