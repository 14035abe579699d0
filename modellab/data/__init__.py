"""Data: files to store to chunks; kinds, roles, profiles, encoders and samples."""
