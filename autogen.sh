#!/bin/sh
# Makes configure and Makefile.in from their sources.
set -eu
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --install --force --warnings=all
