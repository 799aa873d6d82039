"""Which language a recording is in."""
