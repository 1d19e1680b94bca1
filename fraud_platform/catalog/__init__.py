"""Let the lake answer SQL: tables, hourly partitions and views over its objects and curated files.

Reads: S3 objects of the lake (names, sizes and Avro headers)
Writes: tables `landing_<topic>`, their partitions `dt`, `hr`, empty tables `curated_<topic>`, and views
    `pending_<topic>` and `raw_<topic>` through the Glue API
Guarantee: a crawl may be repeated and interrupted at will; it opens only objects that it has not seen.
Runs as: job `crawl`, every 15 minutes and at the first object of a new hour; also by `Materialize`.
"""
