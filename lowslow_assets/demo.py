"""The whole hunt on the sample tenant: ``python -m lowslow_assets.demo``, or ``make demo``.

Everything that the demo makes is below ``demo/`` in the current folder. It does not repeat what is
already there.
"""

import base64
import os
import re
import shutil
import time
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pyarrow.parquet as pq

from lowslow_assets.lake.tables import ENRICHED_INCIDENTS
from lowslow_assets.reports.console import incidents_as_text
from lowslow_assets.sample_tenant import Tenant, generate
from lowslow_assets.settings import DEMO_LAKE, DEMO_SOURCE, Settings, read_settings

DEMO = Path("demo")
_PICTURES = DEMO / "pictures"
_LABELS = DEMO / "labels" / "labels.csv"
_INSTANCE = Path(__file__).with_name("dagster.yaml")
_IMAGE = re.compile(r"!\[[^]]*\]\(data:image/png;base64,([^)]+)\)")


def main() -> None:
    """Make the tenant, ingest it, hunt as of its last day, and report what was found."""
    tenant = Tenant()
    first, last = tenant.start, tenant.start + timedelta(days=tenant.days - 1)
    print(f"1/3 Sample tenant: {tenant.days} days from {first}", flush=True)
    summary = generate(tenant, Path(DEMO_SOURCE), _LABELS)
    print(f"    {summary.signins:,} sign-ins in {DEMO_SOURCE}; who is who in {_LABELS}")

    # Dagster takes seconds to import, so it is imported after the first line is on the screen.
    from lowslow_assets.orchestration.definitions import build_defs

    engine = read_settings().engine
    defs = build_defs(Settings(DEMO_SOURCE, DEMO_LAKE, engine=engine))
    instance = _instance()
    print(f"2/3 Ingest {first} to {last}: one run, on {engine.name}", flush=True)
    _run(defs, instance, "ingest_range", "ingest", first, last)
    print(f"3/3 Hunt as of {last}", flush=True)
    if _run(defs, instance, "hunt_as_of_day", "hunt", last, last):
        _save_pictures(instance, last)
    _report(first, last)


def _instance() -> dg.DagsterInstance:
    """A separate Dagster instance, so that the UI can show the runs."""
    home = DEMO / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        shutil.copy(_INSTANCE, config)
    os.environ["DAGSTER_HOME"] = str(home.absolute())
    return dg.DagsterInstance.get()


def _run(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    group: str,
    first: date,
    last: date,
) -> bool:
    """Run a job over some days, and print one line per asset; False if all of it exists.

    What an earlier version of the code has made is made again.
    """
    graph = defs.resolve_asset_graph()
    keys = dg.AssetSelection.groups(group).resolve(graph)
    versions = {key: version for key in keys if (version := graph.get(key).code_version)}
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    folders = (Path(DEMO_LAKE, key.to_user_string(), f"date={day}") for key in keys for day in days)
    made_by = instance.get_latest_materialization_code_versions(versions)
    if made_by == versions and all(folder.is_dir() for folder in folders):
        print("    made already")
        return False
    run_id = str(uuid4())
    began = time.monotonic()

    def report_step(event: dg.EventLogEntry) -> None:
        if event.dagster_event and event.dagster_event.is_step_success:
            print(f"    {time.monotonic() - began:5.1f} s  {event.step_key}", flush=True)

    instance.add_event_listener(run_id, report_step)
    defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        run_id=run_id,
        tags={
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
        },
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
    )
    return True


def _save_pictures(instance: dg.DagsterInstance, day: date) -> None:
    """Save the pictures of the assets' metadata as files."""
    _PICTURES.mkdir(parents=True, exist_ok=True)
    for name in ("mixture_model", "enriched_incidents"):
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(name), asset_partitions=[str(day)]), limit=1
        ).records
        materialization = records[0].asset_materialization if records else None
        for label, value in (materialization.metadata if materialization else {}).items():
            image = _IMAGE.fullmatch(str(value.value))
            if image:
                picture = _PICTURES / f"{name}-{label.replace(' ', '-')}.png"
                picture.write_bytes(base64.b64decode(image[1]))


def _report(first: date, day: date) -> None:
    """Report what the hunt of ``day`` found, where the results are and how to view them."""
    lake = Path(DEMO_LAKE)
    (rows,) = lake.glob(f"{ENRICHED_INCIDENTS.name}/date={day}/*.parquet")
    print(f"\n{incidents_as_text(pq.read_table(rows).to_pylist(), day)}")
    print(
        f"\nTables    {lake}/<asset>/date=YYYY-MM-DD/*.parquet"
        f"\nPages     {lake}/case_pages/date={day}/index.html: for a browser"
        f"\nRules     {lake}/rule_documents/date={day}/*.kql and *.sigma.yml"
        f"\nIncidents {lake}/incident_documents/date={day}/*.json"
        f"\nPictures  {_PICTURES}/*.png"
        f"\nUI        make ui, which is"
        f"\n          DAGSTER_HOME=$PWD/{DEMO}/dagster LOWSLOW_START_DATE={first} dagster dev"
    )


if __name__ == "__main__":
    main()
