"""Mistakes of honest people: wrong passwords, expired ones, a second factor asked for."""

import numpy as np

from lowslow_assets.sample_tenant import apps
from lowslow_assets.sample_tenant.people import People
from lowslow_assets.sample_tenant.signins import SECOND, Rows, label, rekeyed
from lowslow_assets.sample_tenant.streams import stream

_SLIPS_PER_SESSION = 0.062
_GIVEN_UP = 0.08
_PROMPTS_PER_SESSION = 0.03
_EXPIRED = 0.06


def make(seed: int, people: People, sessions: Rows) -> tuple[Rows, Rows]:
    """Mistakes and prompts before some sessions: those rows, and the sessions that still happen.

    Mostly the session follows within minutes and shows that it was its own user; some people give
    up instead. A mistake keeps the label of an unusual place it happens in.
    """
    rng = stream(seed, "slips")
    chance = _SLIPS_PER_SESSION * people.carelessness[sessions["user"]]
    slipped = rng.random(len(sessions)) < chance
    given_up = slipped & (rng.random(len(sessions)) < _GIVEN_UP)
    prompted = ~slipped & (rng.random(len(sessions)) < _PROMPTS_PER_SESSION)
    typos = before(sessions[slipped], rng)
    typos["label"] = np.where(typos["label"] == 0, label("typo"), typos["label"])
    prompts = rekeyed(sessions[prompted], rng)
    prompts["time"] -= rng.integers(20 * SECOND, 90 * SECOND, len(prompts))
    prompts["result"] = rng.choice(apps.MFA_CODES, len(prompts))
    return np.concatenate([typos, prompts]), sessions[~given_up]


def before(moments: Rows, rng: np.random.Generator, expired: float = _EXPIRED) -> Rows:
    """One to four failures 10 s to 7 min before each of the given sign-ins, otherwise alike.

    expired: share of people whose first failure is an expired password.
    """
    tries = np.minimum(rng.geometric(0.65, len(moments)), 4)
    rows = rekeyed(np.repeat(moments, tries), rng)
    # 0 for the last try before the success, 1 for the one before it, ...
    remaining = np.repeat(np.cumsum(tries), tries) - np.arange(len(rows)) - 1
    pause = np.exp(rng.uniform(np.log(10), np.log(300), len(moments))) * SECOND
    rows["time"] -= np.repeat(pause, tries).astype(np.int64)
    rows["time"] -= remaining * np.repeat(rng.integers(5 * SECOND, 40 * SECOND, len(tries)), tries)
    first_expired = np.repeat(rng.random(len(tries)) < expired, tries) & (
        remaining == np.repeat(tries, tries) - 1
    )
    rows["result"] = np.where(first_expired, apps.EXPIRED_PASSWORD, apps.WRONG_PASSWORD)
    return rows
