-- Runs once, when the volume is new: the Schema Registry keeps its data apart from Dagster's.
CREATE DATABASE registry;
