"""Tests of ``lowslow_assets.hunting``."""
