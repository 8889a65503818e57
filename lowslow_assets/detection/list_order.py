"""Whether accounts are tried in the order of a list: plain Python on the suspects of a group.

Tools for sprays read the names from a file, one after the other, and begin again with the next
password. So the order of the accounts repeats, and often it is that of the alphabet.
"""

from collections import Counter

import numpy as np

from lowslow_assets.detection.members import VISIT, Suspects

LEAST_HOURS_APART = 2
"""An account that is tried again at nearly the same hour of the day may be a device's."""


def one_after_the_other(suspects: Suspects) -> list[tuple[str, str, int]]:
    """Different accounts that are tried one after the other, and the first one's hour of the day.

    In order of time. Only attempts that are at least VISIT apart follow each other: bots try a few
    names within minutes, in the same order each time.
    """
    ordered = suspects.at(np.lexsort((suspects.signin_id, suspects.time)))
    apart = np.flatnonzero(np.diff(ordered.time) >= VISIT)
    hours = (ordered.time - ordered.day) // np.timedelta64(1, "h")
    found = zip(ordered.user[apart], ordered.user[apart + 1], hours[apart].tolist(), strict=True)
    return [
        (account, following, hour) for account, following, hour in found if account != following
    ]


def followed_again(suspects: Suspects) -> dict[str, bool]:
    """Whether the same account follows an account again, for those that another follows twice.

    Of each account, the first two times count. If they are less than LEAST_HOURS_APART by the
    clock, the account is left out: devices with old passwords try at their time of each day. Only
    attempts on accounts that are tried more than once are considered, because unrelated ones may
    lie between those of an attacker.
    """
    tries = Counter(suspects.user.tolist())
    again = suspects.at(np.array([tries[account] > 1 for account in suspects.user], bool))
    followed: dict[str, list[tuple[str, int]]] = {}
    for account, following, hour in one_after_the_other(again):
        followed.setdefault(account, []).append((following, hour))
    found = dict[str, bool]()
    for account, times in followed.items():
        if len(times) < 2:
            continue
        (first, hour), (second, later_hour) = times[:2]
        apart = abs(hour - later_hour)
        if min(apart, 24 - apart) >= LEAST_HOURS_APART:
            found[account] = first == second
    return found
