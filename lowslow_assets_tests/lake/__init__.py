"""Tests of ``lowslow_assets.lake``."""
