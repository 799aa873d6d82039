"""From an upload to a plan of chunks: download, decode, find speech, cut, write."""
