"""The definitions for the environment, for ``dagster -m lowslow_assets.definitions``."""

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.settings import read_settings

defs = build_defs(read_settings())
