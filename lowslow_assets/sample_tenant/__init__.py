"""A generated Microsoft Entra tenant whose sign-in logs contain low-and-slow password sprays.

`generate` writes SigninLogs as Sentinel exports them. Apart from these, it writes labels that say
what each unusual sign-in really is. It is for demos, and to measure how well sprays are found.
Nothing here knows about Spark or Dagster, and no person or network in it is real.

A tenant is drawn as rows of numbers (`traffic`: `ordinary`, `excursions`, `slips`, `confusers`,
`sprays`), then written day by day as text (`facts`, `schemas`, `export`, `truth`).
"""

from lowslow_assets.sample_tenant.generate import SourceNotEmptyError, Summary, generate
from lowslow_assets.sample_tenant.tenant import (
    CONFUSERS,
    DEMO_CAMPAIGNS,
    PRESETS,
    Campaign,
    Tenant,
)

__all__ = [
    "CONFUSERS",
    "DEMO_CAMPAIGNS",
    "PRESETS",
    "Campaign",
    "SourceNotEmptyError",
    "Summary",
    "Tenant",
    "generate",
]
