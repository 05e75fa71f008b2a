"""The public register: what a pack marks public, as static files that everybody may read, copy and check."""
