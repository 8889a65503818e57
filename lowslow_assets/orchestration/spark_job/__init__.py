"""Ingest and hunt as one Spark job, for platforms that accept jobs but no sessions from outside.

Dagster starts the job and passes on, through Pipes, which assets of which days to make. `inside` is
the code that runs there: the same graph, with the session that the platform provides.
"""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN, days_of
from lowslow_assets.settings import Settings

# It is not run as a module, because spark-submit takes a file and puts its folder first on the
# path.
INSIDE = Path(__file__).with_name("inside.py")


def build_job_defs(
    submit: Sequence[str], client: dg.PipesSubprocessClient | None = None
) -> dg.Definitions:
    """Definitions of ingest and hunt in which each run is one job.

    ``submit`` is the command that runs a Python file within Spark, such as spark-submit with its
    options; it waits for the end. The job reads the same environment variables as other runs.
    """
    graph = build_defs(Settings())
    selected = dg.AssetSelection.groups("ingest", "hunt").resolve(graph.resolve_asset_graph())

    @dg.multi_asset(
        name="spark_job",
        specs=[
            spec.replace_attributes(skippable=True)
            for spec in graph.resolve_all_asset_specs()
            if spec.key in selected
        ],
        partitions_def=DAYS,
        backfill_policy=SINGLE_RUN,
        can_subset=True,
    )
    def spark_job(context: dg.AssetExecutionContext, job: dg.PipesSubprocessClient):
        days = days_of(context)
        return job.run(
            context=context,
            command=[*submit, str(INSIDE)],
            extras={"first": days[0].isoformat(), "last": days[-1].isoformat()},
        ).get_results()

    return dg.Definitions(
        assets=[spark_job],
        resources={"job": client or dg.PipesSubprocessClient()},
        executor=dg.in_process_executor,
    )
