"""Dialogs about data: how a file is read, which part of it, the gallery, export."""
