"""The column cache: columns of segments that have ended, kept so as to be decoded once."""
