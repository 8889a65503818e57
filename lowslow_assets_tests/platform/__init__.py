"""Tests of ``lowslow_assets.platform``."""
