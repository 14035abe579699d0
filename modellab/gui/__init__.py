"""The desktop application: the only room that imports Qt."""
