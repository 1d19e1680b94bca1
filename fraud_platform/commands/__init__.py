"""What the `fraud-platform` command does, one module per subcommand; each returns its exit code."""
