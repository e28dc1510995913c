"""Seven ways to break the promise, each applied to a copy: the suite must turn red."""
