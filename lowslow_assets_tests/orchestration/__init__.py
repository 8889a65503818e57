"""Tests of ``lowslow_assets.orchestration``."""
