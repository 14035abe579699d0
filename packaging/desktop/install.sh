#!/bin/sh
# Installs Model Lab for one person, without administrator: ./install.sh [PREFIX]
# (PREFIX: ~/.local unless given). `./install.sh --remove [PREFIX]` takes all of it away again;
# preferences and experiments stay.
set -eu
remove=no
if [ "${1:-}" = "--remove" ]; then remove=yes; shift; fi
here=$(cd "$(dirname "$0")" && pwd)
prefix=${1:-$HOME/.local}
program=$prefix/lib/modellab
share=$prefix/share

if [ -e "$program" ] && [ ! -x "$program/modellab" ]; then
    echo "$program is there and is not Model Lab: move it away first." >&2
    exit 1
fi
if [ -e "$prefix/bin/modellab" ] && [ ! -L "$prefix/bin/modellab" ]; then
    echo "$prefix/bin/modellab is there and was not made by this script: move it away first." >&2
    exit 1
fi
rm -rf "$program" "$share/doc/modellab"
rm -f "$prefix/bin/modellab" "$share/applications/modellab.desktop" \
    "$share"/icons/hicolor/*/apps/modellab.png \
    "$share/icons/hicolor/scalable/apps/modellab.svg" "$share/mime/packages/modellab.xml" \
    "$share/metainfo/io.github.modellab.ModelLab.metainfo.xml" "$share/man/man1/modellab.1.gz"
if [ "$remove" = no ]; then
    mkdir -p "$prefix/lib" "$prefix/bin" "$share"
    cp -R "$here/lib/modellab" "$program"
    ln -s ../lib/modellab/modellab "$prefix/bin/modellab"
    cp -R "$here/share/." "$share/"
    # A menu does not look into the person's PATH: it gets the whole path.
    sed -i "s|^Exec=modellab|Exec=\"$prefix/bin/modellab\"|" "$share/applications/modellab.desktop"
fi
# What menus and types are read from, where there is a desktop that reads it.
if command -v update-mime-database >/dev/null 2>&1 && [ -d "$share/mime/packages" ]; then
    update-mime-database "$share/mime" >/dev/null 2>&1 || true
fi
if command -v update-desktop-database >/dev/null 2>&1 && [ -d "$share/applications" ]; then
    update-desktop-database -q "$share/applications" >/dev/null 2>&1 || true
fi
if [ "$remove" = yes ]; then
    echo "Model Lab is removed."
else
    echo "Model Lab is installed: $prefix/bin/modellab"
fi
