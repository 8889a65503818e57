"""What ``dagster -m lowslow_assets.definitions`` loads: the definitions for the environment."""

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.settings import read_settings

defs = build_defs(read_settings())
