"""The settings of a tenant and of the sprays that are planted in it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from lowslow_assets.sample_tenant.streams import stream

EDITION = 1
"""Raised when the same settings begin to give other bytes."""

CONFUSERS = (
    "stale_device",
    "connector",
    "burst",
    "password_expiry",
    "new_office",
    "travel",
    "vpn",
    "internet_noise",
)
"""Harmless events, or at least not low-and-slow ones, that resemble a spray in some respect."""


@dataclass(frozen=True)
class Campaign:
    """One low-and-slow spray: single attempts, spread out.

    name: its label; unique in the tenant.
    rate: attempts per day on which it is active; these are weekdays with "business" hours, Sundays
        with "sundays".
    kind: the preset from which it was made, for the records.
    first_day, last_day: offsets from the tenant's start, both included; None is the last day.
    pauses: periods without attempts, as pairs of such offsets, both included.
    hours: round the clock, or by the head office's clock: its working hours on weekdays, "nights"
        from 22 to 6, "sundays" from 1 to 5 in the morning.
    rhythm: "steady": gaps that vary around one length; "poisson": every moment is equally likely.
    clients: what the attempts claim to be. "invented": another browser, operating system and
        application each time; "common": what the tenant's people use; "fixed": one invented
        browser and one application; "legacy": IMAP, POP, SMTP; "ropc": one client that hands
        over bare passwords, with its own user agent.
    sources: "fresh": proxies, nearly each attempt from another; or addresses that it keeps (see
        `whereabouts.INFRASTRUCTURE`): "rented" from a few hosting companies, one "server", gateways
        of one "cloud", "exits" of an anonymising network.
    addresses: how many it keeps; None for the usual number of its kind.
    places: sources anywhere in the world, or in the cities the tenant's people live in.
    ipv6: attempts from fresh sources come over IPv6.
    address_reuse: share of attempts from fresh sources that use an address used before.
    targets: the accounts it tries: None for all, a number of them, or their names.
    order: "rounds": all targets before any is tried again, each time in another order; "list": the
        same, always in one order; "sorted": in that of the names; "random": any target each time.
    locked: share of the failures that are answered with "locked" (50053).
    stopped: accounts whose password is right, but whose sign-in something else stops, such as a
        second factor.
    successes: accounts it compromises; it leaves these alone afterwards, like those stopped.
    """

    name: str
    rate: float
    kind: str = "custom"
    first_day: int = 0
    last_day: int | None = None
    pauses: tuple[tuple[int, int], ...] = ()
    hours: Literal["any", "business", "nights", "sundays"] = "any"
    rhythm: Literal["steady", "poisson"] = "steady"
    clients: Literal["invented", "common", "fixed", "legacy", "ropc"] = "invented"
    sources: Literal["fresh", "rented", "server", "cloud", "exits"] = "fresh"
    addresses: int | None = None
    places: Literal["anywhere", "home"] = "anywhere"
    ipv6: bool = False
    address_reuse: float = 0.02
    targets: int | tuple[str, ...] | None = None
    order: Literal["rounds", "list", "sorted", "random"] = "rounds"
    locked: float = 0.0
    stopped: int = 0
    successes: int = 0

    @property
    def weekly_rate(self) -> float:
        """Mean attempts per day of a week in which it is active."""
        return self.rate * {"business": 5 / 7, "sundays": 1 / 7}.get(self.hours, 1.0)

    def active_days(self, days: int) -> list[int]:
        """The offsets of the days with attempts, in a tenant of so many days."""
        last = days - 1 if self.last_day is None else min(self.last_day, days - 1)
        return [
            day
            for day in range(self.first_day, last + 1)
            if not any(begin <= day <= end for begin, end in self.pauses)
        ]


PRESETS = {
    preset.kind: preset
    for preset in (
        Campaign("classic", 30, "classic", successes=3),
        Campaign("slow", 4, "slow"),
        Campaign("trickle", 1, "trickle"),
        Campaign("mimic", 20, "mimic", clients="common", successes=1),
        Campaign("business_hours", 20, "business_hours", hours="business", successes=1),
        Campaign("residential", 15, "residential", clients="common", places="home", successes=1),
        Campaign("targeted", 8, "targeted", targets=25, successes=1),
        Campaign("fixed_agent", 15, "fixed_agent", clients="fixed", successes=1),
        Campaign("legacy", 15, "legacy", clients="legacy", successes=1),
        Campaign("ipv6", 15, "ipv6", ipv6=True, successes=1),
        Campaign("short", 25, "short", first_day=20, last_day=40, successes=1),
        Campaign("pausing", 25, "pausing", pauses=((14, 23), (38, 45)), successes=1),
        Campaign("rented", 20, "rented", clients="common", sources="rented", successes=1),
        Campaign("server", 4, "server", clients="fixed", sources="server", successes=1),
        Campaign("cloud", 15, "cloud", sources="cloud", successes=1),
        Campaign("exits", 20, "exits", sources="exits", successes=1),
        Campaign("sundays", 40, "sundays", hours="sundays", successes=1),
        Campaign("locked", 15, "locked", locked=1 / 3, successes=1),
        Campaign("stopped", 15, "stopped", stopped=5),
        Campaign("ropc", 15, "ropc", clients="ropc", successes=1),
    )
}
"""Sprays by the name of their kind; `dataclasses.replace` makes variants."""

DEMO_CAMPAIGNS = (
    PRESETS["classic"],
    Campaign("office_mimic", 20, "mimic", 20, hours="business", clients="common", successes=1),
    PRESETS["slow"],
)


@dataclass(frozen=True)
class Tenant:
    """An organisation whose sign-in logs are generated; the defaults are the demo.

    seed: with the other settings, it determines everything.
    start, days: the first day (UTC), and the number of days.
    users: accounts, guests included.
    signins_per_day: sign-ins per day on average, including weekends; the total is close to it.
    campaigns: the sprays in it. They add rows and change no others.
    confusers: True for all of `CONFUSERS`, False or () for none, or some of their names.
    detail_shape: DeviceDetail, LocationDetails and Status as JSON strings, objects, or either.
    schema: Sentinel's columns, the diagnostic settings' record, or either, line by line.
    missing_days: days without any file, as their number or as offsets from the start.
    duplicates: share of sign-ins written twice (same `Id`; half of them with differing detail).
    late_files: share of five-minute files whose last rows arrive in an overflow file.
    ipv6: share of people whose provider gives them IPv6.
    asn: share of rows that carry AutonomousSystemNumber.
    further: sign-ins that follow the first one of a session, on average.
    office: how much of their usual time people spend at the office, 0 to 1.
    mobile: share of phones' sessions on a mobile network.
    mobile_pools, home_pools: /24 prefixes that a provider has in a city, for phones and for homes.
    lease_days: shortest and longest time (excluded) for which a home keeps its IPv4 address.
    pools_per_home: of its provider's pools, those between which a home's leases change.
    hotspots: share of the other sessions outside the office that are on a line of their own.
    vpn: share of people who often use a VPN service (with the confuser).
    noise: unrelated failures per day from the internet (with the confuser).
    typos: sessions in which an average person mistypes, as a share.
    typos_away: factor by which people mistype more often away from office and home.
    given_up: share of those sessions that never succeed.
    prompts, refused: share of sessions interrupted for a second factor, and of those refused.
    lockout: whether an account is locked for a while after two failures in a row.
    managed: share of computers that are managed, and so have a name.
    guests: share of accounts that are guests.
    update_lag: days by which browsers' updates come late, on average.
    egress_day: offset of the day from which the offices go through a security service.
    new_app_day: offset of the day on which an application is introduced.
    conference: number of people who attend one, for three days.
    """

    seed: int = 7
    start: date = date(2026, 5, 2)
    days: int = 60
    users: int = 1_250
    signins_per_day: int = 3_350
    campaigns: tuple[Campaign, ...] = DEMO_CAMPAIGNS
    confusers: bool | tuple[str, ...] = True
    detail_shape: Literal["strings", "objects", "mixed"] = "mixed"
    schema: Literal["sentinel", "diagnostic", "mixed"] = "sentinel"
    missing_days: int | tuple[int, ...] = 0
    duplicates: float = 0.02
    late_files: float = 0.02
    ipv6: float = 0.15
    asn: float = 1.0
    further: float = 0.6
    office: float = 1.0
    mobile: float = 0.45
    mobile_pools: int = 16
    home_pools: int = 30
    lease_days: tuple[int, int] = (14, 60)
    pools_per_home: int = 2
    hotspots: float = 0.0
    vpn: float = 0.05
    noise: float = 1.0
    typos: float = 0.062
    typos_away: float = 1.0
    given_up: float = 0.08
    prompts: float = 0.03
    refused: float = 0.0
    lockout: bool = False
    managed: float = 0.85
    guests: float = 0.03
    update_lag: float = 6.0
    egress_day: int | None = None
    new_app_day: int | None = None
    conference: int = 0

    def __post_init__(self) -> None:
        """Refuse, in one sentence, what cannot be generated."""
        if min(self.days, self.users, self.signins_per_day) < 1:
            raise ValueError("days, users and signins_per_day must be at least 1.")
        names = [campaign.name for campaign in self.campaigns]
        if len(set(names)) < len(names):
            raise ValueError("Two campaigns have the same name.")
        if any(campaign.rate <= 0 for campaign in self.campaigns):
            raise ValueError("A campaign's rate must be above 0.")
        if any(c.addresses is not None and c.addresses < 1 for c in self.campaigns):
            raise ValueError("A campaign needs at least 1 address.")
        if not 1 <= self.lease_days[0] < self.lease_days[1]:
            raise ValueError("The shortest lease must be at least 1 day, and below the longest.")
        if min(self.mobile_pools, self.home_pools, self.pools_per_home) < 1:
            raise ValueError("Providers and homes must have at least 1 pool.")
        unknown = set(self.active_confusers) - set(CONFUSERS)
        if unknown:
            raise ValueError(f"Unknown confusers: {', '.join(sorted(unknown))}.")

    @property
    def active_confusers(self) -> tuple[str, ...]:
        """The confusers' names, written out."""
        if isinstance(self.confusers, bool):
            return CONFUSERS if self.confusers else ()
        return self.confusers

    @property
    def start_ms(self) -> int:
        """The first day's midnight, milliseconds since 1970 UTC."""
        return (self.start - date(1970, 1, 1)).days * 86_400_000

    def day(self, offset: int) -> date:
        """The date at an offset from the start."""
        return self.start + timedelta(days=offset)

    def absent_days(self) -> frozenset[int]:
        """Offsets of the days that have no files."""
        if isinstance(self.missing_days, int):
            rng = stream(self.seed, "missing days")
            return frozenset(rng.permutation(self.days)[: self.missing_days].tolist())
        return frozenset(self.missing_days)

    def weekdays(self) -> np.ndarray:
        """Per day, 0 for Monday to 6 for Sunday."""
        return (self.start.weekday() + np.arange(self.days)) % 7

    def digest(self) -> str:
        """A name for all these settings; equal digests mean equal bytes."""
        settings = json.dumps([EDITION, asdict(self)], default=str, sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()
