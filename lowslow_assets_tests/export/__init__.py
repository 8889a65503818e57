"""Tests of ``lowslow_assets.export``."""
