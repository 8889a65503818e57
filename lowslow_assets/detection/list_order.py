"""Whether accounts are tried in the order of a list: plain Python on the suspects of a group.

Tools for sprays read the names from a file, one after the other, and begin again with the next
password. So the order of the accounts repeats, and often it is that of the alphabet.
"""

from collections import Counter

import numpy as np

from lowslow_assets.detection.members import VISIT, Suspects


def one_after_the_other(suspects: Suspects) -> list[tuple[str, str]]:
    """Pairs of different accounts that are tried one after the other, in order of time.

    Only attempts that are at least VISIT apart follow each other: bots try a few names within
    minutes, in the same order each time.
    """
    ordered = suspects.at(np.lexsort((suspects.signin_id, suspects.time)))
    apart = np.diff(ordered.time) >= VISIT
    pairs = zip(ordered.user[:-1][apart], ordered.user[1:][apart], strict=True)
    return [(account, following) for account, following in pairs if account != following]


def following_accounts(suspects: Suspects) -> dict[str, list[str]]:
    """Which accounts follow each account, in order of time; none may follow.

    Only accounts that are tried more than once are considered, because unrelated attempts on others
    may lie between the attempts of an attacker.
    """
    tries = Counter(suspects.user.tolist())
    again = suspects.at(np.array([tries[account] > 1 for account in suspects.user], bool))
    found: dict[str, list[str]] = {account: [] for account, number in tries.items() if number > 1}
    for account, following in one_after_the_other(again):
        found[account].append(following)
    return found


def in_same_order(suspects: Suspects) -> np.ndarray:
    """Whether the attempt's account was followed by one account both first times, shape (n,)."""
    repeated = {
        account
        for account, following in following_accounts(suspects).items()
        if len(following) > 1 and following[0] == following[1]
    }
    return np.array([account in repeated for account in suspects.user], bool)
