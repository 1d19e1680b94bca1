"""One file per outside system; the only importers of its client."""
