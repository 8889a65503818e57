"""The labels: what each unusual sign-in really is. Stored outside the export, for benchmarks."""

import csv
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lowslow_assets.sample_tenant.signins import LABELS, Rows, ids, label
from lowslow_assets.sample_tenant.sprays import targets
from lowslow_assets.sample_tenant.tenant import Campaign
from lowslow_assets.sample_tenant.world import World


def write_labels(world: World, rows: Rows, path: Path) -> None:
    """Write `signin_id,label,campaign`, one line per sign-in that is not ordinary, by time.

    The label of an unusual place (travel, vpn, new_office) covers the typing errors made there.
    """
    names = ["", *(campaign.name for campaign in world.tenant.campaigns)]
    rows = rows[rows["label"] != 0]
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["signin_id", "label", "campaign"])
        for id_, kind, campaign in zip(ids(rows), rows["label"], rows["campaign"], strict=True):
            writer.writerow([id_, LABELS[kind], names[campaign]])
    os.replace(partial, path)


def write_campaigns(world: World, rows: Rows, path: Path) -> None:
    """Write what was planted, as a JSON list: each campaign's settings and outcome."""
    planted = [
        account_of(world, rows[rows["campaign"] == number], campaign)
        for number, campaign in enumerate(world.tenant.campaigns, start=1)
    ]
    write_json(path, planted)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file as a whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def account_of(world: World, rows: Rows, campaign: Campaign) -> dict[str, Any]:
    """A campaign's settings and outcome; times of its attempts are UTC."""
    wins = rows[rows["label"] == label("spray_success")]
    failures = rows[rows["label"] == label("spray_failure")]
    compromised = np.unique(wins["user"])
    stopped = np.unique(rows["user"][rows["label"] == label("spray_stopped")])
    first, last = (
        (f"{rows['time'][end].astype('datetime64[ms]')}Z" for end in (0, -1))
        if len(rows)
        else (None, None)
    )
    return {
        **asdict(campaign),
        "first_attempt": first,
        "last_attempt": last,
        "attempts": len(failures) + len(stopped) + len(compromised),
        "target_accounts": len(targets(world, campaign)),
        "accounts_tried": len(np.unique(rows["user"])),
        "accounts_compromised": [world.people.upn[user] for user in compromised],
        "accounts_stopped": [world.people.upn[user] for user in stopped],
    }
