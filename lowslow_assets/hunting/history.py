"""What other hunts knew of campaigns. A hunt reads nothing else from other hunts."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date

from lowslow_assets.detection.identity import Campaign
from lowslow_assets.detection.sightings import samples
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.lake import LakeError
from lowslow_assets.lake.tables import CAMPAIGNS, CLUSTER_MEMBERS


def read_history(hunt: Hunt, days: Iterable[date]) -> Iterator[tuple[date, list[Campaign]]]:
    """The comparable hunts as of ``days``, and the campaigns that each of them knew."""
    # Members can be compared for windows of any length, but not with another preset's clusters.
    fits = {"preset": hunt.settings.preset}
    for day in days:
        with suppress(LakeError):
            known = [Campaign.from_row(row) for row in hunt.lake.rows(CAMPAIGNS, [day], fits)]
            yield day, _drawn_again(hunt, day, known) if _is_old(hunt, day) else known


def _is_old(hunt: Hunt, day: date) -> bool:
    """Whether the hunt as of ``day`` was made by the release that drew samples with xxHash64.

    Its partitions do not name the hunt's settings.
    """
    partition = hunt.lake.partition(CAMPAIGNS, day)
    return partition is not None and "settings" not in partition.made_from


def _drawn_again(hunt: Hunt, day: date, known: list[Campaign]) -> list[Campaign]:
    """The campaigns that the hunt as of ``day`` knew, with samples that compare with today's.

    Raises LakeError if the members of that hunt are missing, or belong to a hunt that was made
    later. A campaign that was quiet on that day had no members: it is recognised by its
    fingerprint.
    """
    fits = {"preset": hunt.settings.preset, "settings": None}
    drawn: dict[int | None, dict[int, date]] = {
        **samples(hunt.lake.read(CLUSTER_MEMBERS, [day], fits))
    }
    return [replace(campaign, sample=drawn.get(campaign.cluster_id, {})) for campaign in known]
