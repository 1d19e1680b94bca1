"""Processes that are measured: each reads what is there, then prints one line of JSON about itself."""
