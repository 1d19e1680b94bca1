"""Real-time bank-fraud detection: Dagster on Apache Kafka, exactly once, every transaction accounted for."""

__version__ = "0.1.0"
