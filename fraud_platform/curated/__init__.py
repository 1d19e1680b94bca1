"""Turn the many small objects of closed hours into few columnar files that the views read.

Reads: S3 objects of the lake, hours of the tables `landing_<topic>`
Writes: Parquet files and manifests in S3, tables `curated_<topic>` and views `pending_<topic>` through the Glue API
Guarantee: a reader sees each row once at any moment, late ones at once; raw objects are never touched.
Runs as: job `compact`, every hour; an hour again by `Materialize` or a backfill of its partition.
"""
