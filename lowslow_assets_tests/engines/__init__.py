"""Tests of ``lowslow_assets.engines``."""
