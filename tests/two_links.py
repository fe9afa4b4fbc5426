"""A robot of two links, its meshes not there, and where its hand is by trigonometry."""

from __future__ import annotations

import numpy as np

URDF = """<?xml version="1.0"?>
<robot name="two-links">
  <link name="base"/>
  <link name="upper">
    <visual><geometry><mesh filename="package://none/upper.stl"/></geometry></visual></link>
  <link name="lower"/><link name="hand"/><link name="lamp"/>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
    <origin xyz="0 0 0.5"/><axis xyz="0 0 1"/>
    <limit lower="-3" upper="3" effort="1" velocity="1"/></joint>
  <joint name="elbow" type="continuous"><parent link="upper"/><child link="lower"/>
    <origin xyz="0.4 0 0"/><axis xyz="0 0 1"/></joint>
  <joint name="tool" type="fixed"><parent link="lower"/><child link="hand"/>
    <origin xyz="0.3 0 0"/></joint>
  <joint name="switch" type="revolute"><parent link="base"/><child link="lamp"/>
    <axis xyz="0 0 1"/><limit lower="-3" upper="3" effort="1" velocity="1"/></joint>
</robot>
"""


def by_hand(first: float, second: float) -> list[float]:
    both = first + second
    return [
        0.4 * np.cos(first) + 0.3 * np.cos(both),
        0.4 * np.sin(first) + 0.3 * np.sin(both),
        0.5,
    ]
