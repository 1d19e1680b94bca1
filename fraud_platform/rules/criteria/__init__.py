"""The criteria that come with the platform, one file each; pyproject.toml names them as entry points."""
