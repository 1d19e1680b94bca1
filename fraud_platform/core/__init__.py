"""The pure core: values in, values out; no client, clock, environment or Dagster."""
