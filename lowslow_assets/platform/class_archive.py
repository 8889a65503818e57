"""Spark's classes in an archive that Java maps into memory instead of loading them one by one.

In a daily update, half of the waiting time is Java loading the same 15,000 classes. Java's class
data sharing (JEP 350) keeps them in a file, which belongs to one Java and one Spark; Java itself
ignores a file that does not fit. ``python -m lowslow_assets.platform.class_archive`` makes it, as
`make spark` does. Without it everything works, but starts more slowly.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lowslow_assets.platform.java import archive_path, ensure_java
from lowslow_assets.platform.spark import LOCAL_SPARK, SparkResource

_SIGNINS = """
    SELECT
        CAST(id AS STRING) AS account,
        'a' AS city,
        current_timestamp() AS time,
        current_date() AS date
    FROM range(10)
"""
# Queries like those of the transforms: windows, unpivots, joins, sums, hashes.
_LIKE_A_HUNT = """
    WITH _counts AS (
        SELECT feature, category, count(*) FILTER (WHERE category = 'a') AS number
        FROM signins UNPIVOT (category FOR feature IN (account, city))
        GROUP BY feature, category
    ), _ranked AS (
        SELECT
            *,
            row_number() OVER (PARTITION BY account ORDER BY time DESC, md5(account)) AS place,
            lag(unix_seconds(time)) OVER (PARTITION BY city ORDER BY time) AS before
        FROM signins
    )
    SELECT account, max(time), count(DISTINCT city), sum(number)
    FROM _ranked LEFT JOIN _counts ON category = city
    WHERE place = 1
        AND EXISTS (SELECT 1 FROM signins AS others WHERE others.account = _ranked.account)
    GROUP BY account
    ORDER BY account
"""


def main() -> None:
    """Make the archive, unless it is there: run what a hunt runs, and let Java write it."""
    archive = archive_path(ensure_java())
    if archive.is_file():
        return
    archive.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=archive.parent) as folder:
        unfinished = Path(folder, "classes.jsa")
        options = f"-XX:ArchiveClassesAtExit={unfinished} -Xlog:cds*=off"
        java = LOCAL_SPARK["spark.driver.extraJavaOptions"]
        spark = SparkResource(
            spark_config={"spark.driver.extraJavaOptions": f"{java} {options}"}
        ).spark_session
        signins = spark.sql(_SIGNINS).persist()
        signins.count()
        signins.createOrReplaceTempView("signins")
        signins.repartition(2, "date").write.partitionBy("date").parquet(f"{folder}/signins")
        spark.read.schema(signins.schema).parquet(f"{folder}/signins").toArrow()
        spark.sql(_LIKE_A_HUNT).toArrow()
        gateway = spark.sparkContext._gateway
        spark.stop()
        # Java writes the archive when it ends, and it ends when its last client has left.
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        if not unfinished.is_file():
            sys.exit("This Java writes no class archive: Spark starts more slowly without one.")
        os.replace(unfinished, archive)


if __name__ == "__main__":
    main()
