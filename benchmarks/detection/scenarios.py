"""The tenants for all detectors. They differ only in the campaigns that are planted in each."""

from dataclasses import replace

from benchmarks.detection.drawn import DRAWN, drawn_tenant
from lowslow_assets.sample_tenant import PRESETS, Campaign, Tenant

TUNING_SEEDS = (101, 102)
"""The seeds by which thresholds were chosen. Figures are reported only for other seeds."""
REPORT_SEEDS = (201, 202)

# Enough compromised accounts to measure recall and precision.
_ENTERED = 5


def _spray(kind: str, **changes: object) -> Campaign:
    return replace(PRESETS[kind], **{"successes": _ENTERED, **changes})  # pyright: ignore


SCENARIOS: dict[str, tuple[Campaign, ...]] = {
    "classic": (_spray("classic"),),
    "slow": (_spray("slow"),),
    "trickle": (_spray("trickle", successes=2),),
    "mimic": (_spray("mimic"),),
    "business hours": (_spray("business_hours"),),
    "two at once": (
        _spray("classic"),
        _spray("mimic", first_day=10, last_day=50),
    ),
    "two alike": (_spray("classic"), _spray("fixed_agent", first_day=5)),
    "residential": (_spray("residential"),),
    "targeted": (_spray("targeted"),),
    "fixed agent": (_spray("fixed_agent"),),
    "legacy": (_spray("legacy"),),
    "IPv6": (_spray("ipv6"),),
    "short": (_spray("short"),),
    "pausing": (_spray("pausing"),),
    "rented": (_spray("rented"),),
    "server": (_spray("server"),),
    "cloud": (_spray("cloud"),),
    "exits": (_spray("exits"),),
    "sundays": (_spray("sundays"),),
    "locked": (_spray("locked"),),
    "stopped": (_spray("stopped", stopped=9, successes=0),),
    "ROPC": (_spray("ropc"),),
    "quiet": (),
    "quiet, small": (),
    "quiet, large": (),
}
"""Campaigns by name, in a 60-day window of about 200,000 sign-ins with all confusers."""

_SIZES = {"quiet, small": (300, 800), "quiet, large": (3_000, 9_000)}


def tenant_of(scenario: str, seed: int) -> Tenant:
    """The scenario's tenant; another seed gives other people, networks and campaigns."""
    if scenario == DRAWN:
        return drawn_tenant(seed)
    default = Tenant()
    users, signins = _SIZES.get(scenario, (default.users, default.signins_per_day))
    return Tenant(seed=seed, users=users, signins_per_day=signins, campaigns=SCENARIOS[scenario])
