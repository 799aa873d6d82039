"""CPU work: `prepare` (check, decode, cut) and `lid` (language identification)."""
