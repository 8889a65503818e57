"""Tenants drawn from wide ranges, each different from the others.

A detector that is tuned on one recipe of tenants fits that recipe only. Here size, networks,
habits, noise and the spray itself are drawn, each from its own random stream, so that a new setting
leaves the other settings of a seed unchanged. The ranges are guesses that are meant to be wider
than reality.
"""

from dataclasses import dataclass
from typing import Any

from lowslow_assets.sample_tenant import CONFUSERS, Campaign, Tenant
from lowslow_assets.sample_tenant.streams import stream
from lowslow_assets.sample_tenant.whereabouts import INFRASTRUCTURE

DRAWN = "drawn"
"""The name of these tenants in the place of a scenario's name."""

TUNING, CHOOSING, REPORT = range(1_000, 2_000), range(2_000, 3_000), range(3_000, 4_000)
"""Seeds for tuning, for choosing between variants, and for the report."""

_DAYS = 60


@dataclass(frozen=True)
class _Dice:
    """Draws by name; `of` is the campaign, or the tenant, to which the draws belong."""

    seed: int
    of: str = "tenant"

    def uniform(self, name: str, low: float, high: float) -> float:
        """A number between the two; all are equally likely."""
        return low + (high - low) * float(stream(self.seed, f"drawn {self.of}: {name}").random())

    def scaled(self, name: str, low: float, high: float) -> float:
        """A number between the two; every doubling is equally likely."""
        return float(low * (high / low) ** self.uniform(name, 0, 1))

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.uniform(name, low, high + 1))

    def often(self, name: str, share: float) -> bool:
        """True in this share of the draws."""
        return self.uniform(name, 0, 1) < share

    def choice(self, name: str, shares: dict[Any, float]) -> Any:
        """One of the keys, with the probability of its share."""
        left = self.uniform(name, 0, sum(shares.values()))
        for key, share in shares.items():
            left -= share
            if left < 0:
                return key
        return next(iter(shares))


def drawn_tenant(seed: int) -> Tenant:
    """The tenant of a seed: 200 to 3,000 accounts, 800 to 5,000 sign-ins per day, 60 days.

    One of three consecutive seeds is quiet. A fifth of the others have two campaigns.
    """
    dice = _Dice(seed)
    users = round(dice.scaled("users", 200, 3_000))
    signins = round(users * dice.scaled("sign-ins an account", 1.2, 5))
    shortest = dice.choice("shortest lease", {1: 0.3, 3: 0.2, 7: 0.2, 14: 0.2, 30: 0.1})
    campaigns = 0 if seed % 3 == 0 else 2 if dice.often("two campaigns", 0.2) else 1
    # From hardly any to more than half of all successes come from a /24 that is seen once.
    spread = dice.uniform("spread of networks", 0, 1)
    no_asn = dice.often("no AS numbers", 0.15)
    return Tenant(
        seed=seed,
        days=_DAYS,
        users=users,
        signins_per_day=min(max(signins, 800), 5_000),
        campaigns=tuple(_campaign(seed, number, users) for number in range(campaigns)),
        confusers=tuple(name for name in CONFUSERS if dice.often(f"confuser {name}", 0.8)),
        ipv6=dice.uniform("ipv6", 0, 0.6),
        asn=0.0 if no_asn else dice.uniform("asn", 0.9, 1),
        office=dice.uniform("office", 0.1, 1),
        mobile=dice.uniform("mobile", 0.2, 0.95),
        further=dice.scaled("further sign-ins", 0.05, 1),
        mobile_pools=round(8 * 2_500**spread),
        home_pools=round(dice.scaled("home pools", 10, 10_000)),
        lease_days=(shortest, shortest + round(dice.scaled("longest lease", 1, 45))),
        pools_per_home=round(dice.scaled("pools per home", 1, 50)),
        hotspots=spread**2 * dice.uniform("hotspots", 0.3, 1),
        vpn=0.3 * dice.uniform("vpn", 0, 1) ** 2,
        noise=10 * dice.uniform("noise", 0, 1) ** 2,
        typos=dice.scaled("typos", 0.01, 0.15),
        typos_away=dice.uniform("typos away", 1, 4),
        given_up=dice.uniform("given up", 0.02, 0.35),
        prompts=dice.uniform("prompts", 0, 0.1),
        refused=dice.uniform("refused", 0, 0.3),
        lockout=dice.often("lockout", 0.4),
        managed=dice.uniform("managed", 0.2, 1),
        guests=0.25 * dice.uniform("guests", 0, 1) ** 2,
        update_lag=dice.uniform("update lag", 2, 25),
        egress_day=dice.whole("egress day", 10, 50) if dice.often("egress", 0.3) else None,
        new_app_day=dice.whole("new app day", 10, 55) if dice.often("new app", 0.5) else None,
        conference=dice.whole("attendance", 40, 150) if dice.often("conference", 0.4) else 0,
    )


def _campaign(seed: int, number: int, users: int) -> Campaign:
    """A spray of half an attempt to 60 attempts per day, of any kind."""
    dice = _Dice(seed, f"campaign {number}")
    hours = dice.choice("hours", {"any": 0.55, "business": 0.2, "nights": 0.15, "sundays": 0.1})
    rate = dice.scaled("rate", 0.5, 60)
    first = dice.whole("first day", 0, 30)
    last = dice.whole("last day", first + 14, _DAYS - 1)
    rest = first + dice.whole("rest", 4, 10)
    kinds = {"fresh": 0.3, "rented": 0.2, "server": 0.15, "cloud": 0.15, "exits": 0.2}
    sources = dice.choice("sources", kinds)
    addresses = None
    if sources != "fresh":
        scale = dice.scaled("addresses", 0.4, 3)
        addresses = max(round(INFRASTRUCTURE[sources].addresses * scale), 1)
    clients = {"invented": 0.2, "common": 0.35, "fixed": 0.2, "legacy": 0.1, "ropc": 0.15}
    few = round(dice.scaled("targets", 25, users))
    return Campaign(
        name=f"spray {number + 1}",
        # A Sunday gets the attempts of a week, so that such campaigns exist at all rates.
        rate=min(7 * rate, 60) if hours == "sundays" else rate,
        kind=DRAWN,
        first_day=first,
        last_day=None if dice.often("to the end", 0.5) else last,
        pauses=((rest, rest + dice.whole("pause", 2, 9)),) if dice.often("pauses", 0.2) else (),
        hours=hours,
        rhythm=dice.choice("rhythm", {"steady": 0.5, "poisson": 0.5}),
        clients=dice.choice("clients", clients),
        sources=sources,
        addresses=addresses,
        places=dice.choice("places", {"anywhere": 0.7, "home": 0.3}),
        ipv6=dice.often("ipv6", 0.15),
        address_reuse=0.2 * dice.uniform("address reuse", 0, 1) ** 2,
        targets=None if dice.often("all accounts", 0.5) else few,
        order=dice.choice("order", {"rounds": 0.2, "list": 0.3, "sorted": 0.15, "random": 0.35}),
        locked=dice.uniform("locked", 0, 0.4) if dice.often("any locked", 0.5) else 0.0,
        stopped=dice.whole("stopped", 1, 5) if dice.often("any stopped", 0.5) else 0,
        successes=dice.whole("successes", 1, 10) if dice.often("any successes", 0.5) else 0,
    )
