"""Benchmarks on real services of their own: `make bench`, or one of them: `make bench BENCH=ingestion`.

Everything that is compared runs alternately within one run, since machines are never quiet; beside each rate
stands the processor time per record, which noise touches least.
"""
