"""Prints the rows of stage/bytecode.inc: SOURCE as each PYTHON named compiles it.

    python3 mkbytecode.py SOURCE PLACE-INSIDE PYTHON...
"""
import subprocess
import sys
import textwrap

COMPILE = """if True:
    import importlib.util, marshal, sys
    source = open(sys.argv[1], "rb").read()
    code = compile(source, sys.argv[2], "exec", dont_inherit=True, optimize=0)
    # PEP 552: by hash, and nobody is to check it.
    data = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    print(sys.version_info[1], *(data + marshal.dumps(code)))
"""

print("/* sitecustomize.py as each Python compiles it: make update-bytecode. Compared with the source in the tests. */")
print("/* clang-format off */")
for python in sys.argv[3:]:
    out = subprocess.run([python, "-I", "-c", COMPILE, sys.argv[1], sys.argv[2]], check=True, stdout=subprocess.PIPE,
                         universal_newlines=True).stdout
    minor, *data = out.split()
    print("BYTECODE(%s," % minor)
    print("\n".join(textwrap.wrap(",".join(data).replace(",", ", "), 98)).replace(", ", ",") + ")")
