"""Mistakes of honest people: wrong passwords, expired ones, requests for a second factor."""

import numpy as np

from lowslow_assets.sample_tenant import apps, networks
from lowslow_assets.sample_tenant.people import People
from lowslow_assets.sample_tenant.signins import SECOND, Rows, label, rekeyed
from lowslow_assets.sample_tenant.streams import stream, unit
from lowslow_assets.sample_tenant.tenant import Tenant

_EXPIRED = 0.06
# From this attempt on, counted from 0, a tenant with smart lockout answers that the account is
# locked.
_LOCKED_TRY = 2


def make(tenant: Tenant, people: People, sessions: Rows) -> tuple[Rows, Rows]:
    """Mistakes and prompts before some sessions: those rows, and the sessions that still happen.

    In most cases the session follows within minutes and shows that it was the user; some people
    give up instead. A mistake in an unusual place has the place's label.
    """
    rng = stream(tenant.seed, "slips")
    user = sessions["user"]
    familiar = (sessions["asn"] == people.home_asn[user]) | (
        sessions["asn"] == networks.office_asn(people.office[user])
    )
    chance = tenant.typos * people.carelessness[user]
    chance *= np.where(familiar, 1.0, tenant.typos_away)
    slipped = rng.random(len(sessions)) < chance
    given_up = slipped & (rng.random(len(sessions)) < tenant.given_up)
    prompted = ~slipped & (rng.random(len(sessions)) < tenant.prompts)
    typos = before(sessions[slipped], rng, lockout=tenant.lockout)
    typos["label"] = np.where(typos["label"] == 0, label("typo"), typos["label"])
    prompts = rekeyed(sessions[prompted], rng)
    prompts["time"] -= rng.integers(20 * SECOND, 90 * SECOND, len(prompts))
    refused = unit(prompts["key"], "refused") < tenant.refused
    asked = rng.choice(apps.MFA_CODES, len(prompts))
    prompts["result"] = np.where(refused, apps.MFA_REFUSED, asked)
    return np.concatenate([typos, prompts]), sessions[~given_up]


def before(
    moments: Rows, rng: np.random.Generator, expired: float = _EXPIRED, lockout: bool = False
) -> Rows:
    """One to four failures 10 s to 7 min before each of the given sign-ins, otherwise alike.

    expired: share of people whose first failure is an expired password.
    lockout: whether the account is locked for a while after two failures.
    """
    tries = np.minimum(rng.geometric(0.65, len(moments)), 4)
    rows = rekeyed(np.repeat(moments, tries), rng)
    # 0 for the last attempt before the success, 1 for the one before it, ...
    remaining = np.repeat(np.cumsum(tries), tries) - np.arange(len(rows)) - 1
    pause = np.exp(rng.uniform(np.log(10), np.log(300), len(moments))) * SECOND
    rows["time"] -= np.repeat(pause, tries).astype(np.int64)
    rows["time"] -= remaining * np.repeat(rng.integers(5 * SECOND, 40 * SECOND, len(tries)), tries)
    attempt = np.repeat(tries, tries) - 1 - remaining
    first_expired = np.repeat(rng.random(len(tries)) < expired, tries) & (attempt == 0)
    rows["result"] = np.where(first_expired, apps.EXPIRED_PASSWORD, apps.WRONG_PASSWORD)
    if lockout:
        rows["result"][attempt >= _LOCKED_TRY] = apps.LOCKED
    return rows
