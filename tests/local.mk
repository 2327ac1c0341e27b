# Tests; included by Makefile.am.
