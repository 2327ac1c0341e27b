"""Interpreters and virtual environments, however they are laid out: inside they are what they are outside, and of
what lies beside them nothing is seen.

Each layout is made from the system's Python, whose copy finds its library beside itself wherever it lies.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

BASE = None
REPORT = """
import json, os, sys
from importlib import import_module
names = sys.argv[1].split(",") if sys.argv[1] else []
print(json.dumps({"prefix": sys.prefix, "base": sys.base_prefix, "exe": sys.executable,
                  "imported": [import_module(n).value for n in names],
                  "seen": [p for p in sys.argv[2:] if os.path.exists(p)]}))
"""
# A module in C, in a package whose wheel brought a library along: it lies beside, under a name of its own.
EXTENSION = r"""
#include <Python.h>
extern int bundled(void);
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "_ext", 0, -1, 0};
PyMODINIT_FUNC PyInit__ext(void)
{
    PyObject *module = PyModule_Create(&def);
    if (module) PyModule_AddIntConstant(module, "value", bundled());
    return module;
}
"""


def setUpModule():
    global BASE
    python = os.path.realpath(harness.system_python())
    name = os.path.basename(python)
    if not os.path.isfile("/usr/lib/%s/os.py" % name):
        raise unittest.SkipTest("the system's Python has no library in /usr/lib")
    BASE = tempfile.mkdtemp(prefix="capsule-test.", dir="/tmp")
    os.chmod(BASE, 0o755)
    os.makedirs(BASE + "/bin")
    shutil.copy(python, BASE + "/bin/" + name)
    os.symlink(name, BASE + "/bin/python3")
    os.symlink("python3", BASE + "/bin/python")
    shutil.copytree("/usr/lib/" + name, "%s/lib/%s" % (BASE, name), symlinks=True, ignore=shutil.ignore_patterns(
        "__pycache__", "test", "dist-packages", "config-*", "sitecustomize.py", "pydoc_data", "idlelib", "lib2to3"))
    os.makedirs(BASE + "/share/man")


def tearDownModule():
    shutil.rmtree(BASE, ignore_errors=True)


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.home = self.path("home")
        os.mkdir(self.home)
        self.name = os.path.basename(os.path.realpath(harness.system_python()))
        self.canary = self.write("home/secret.txt", "SECRET")
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("PYTHON", "PYENV", "ASDF", "MISE", "VIRTUAL_ENV", "CONDA"))}
        self.env.update(HOME=self.home, PATH="/usr/local/bin:/usr/bin:/bin")

    def make_prefix(self, path):
        """A Python of its own."""
        # Links to the one copy: a prefix costs nothing.
        shutil.copytree(BASE, path, symlinks=True, dirs_exist_ok=True, copy_function=os.link)
        return path

    def make_venv(self, python, path, *options):
        made = subprocess.run([python, "-m", "venv", "--without-pip", *options, path], env=self.env, cwd=self.tmp,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE)
        if made.returncode != 0:
            self.skipTest("python3 -m venv does not work here: " + harness.decode(made.stdout)[-200:])
        return self.add_module(path, "inside_venv", "value = 42\n")

    def add_module(self, venv, name, text, site="site-packages"):
        directory = "%s/lib/%s/%s" % (venv, self.name, site)
        os.makedirs(directory, exist_ok=True)
        with open("%s/%s.py" % (directory, name), "w") as f:
            f.write(text)
        return venv

    def outside(self, python, *args, env=None, cwd=None):
        done = subprocess.run([python, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=env or self.env, cwd=cwd or self.tmp, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def same(self, python, *options, imports="", secrets=(), env=None, cwd=None):
        """Inside with these options all is as outside with this program, but for the secrets, seen outside only."""
        secrets = [self.canary, *secrets]
        script = self.write("report.py", REPORT)
        plain = json.loads(self.outside(python, script, imports, *secrets, env=env, cwd=cwd))
        self.assertEqual(plain["seen"], secrets)
        result = self.check(self.run_capsule("-q", *options, script, imports, *secrets, env=env or self.env, cwd=cwd))
        inside = json.loads(result.out)
        self.assertEqual(inside["seen"], [])
        for key in ("prefix", "base", "imported"):
            self.assertEqual(inside[key], plain[key], key)
        return inside


class Environments(Case):
    def test_by_its_directory(self):
        for options in ((), ("--copies",), ("--system-site-packages",)):
            with self.subTest(options=options):
                venv = self.make_venv(harness.system_python(), self.path("home/venv"), *options)
                inside = self.same(venv + "/bin/python3", "--venv", venv, imports="inside_venv")
                self.assertEqual((inside["prefix"], inside["base"], inside["imported"]), (venv, "/usr", [42]))
                self.same(venv + "/bin/python3", "--venv", "venv/", imports="inside_venv", cwd=self.home)
                shutil.rmtree(venv)

    def test_packages_of_the_base(self):
        prefix = self.make_prefix(self.path("home/python"))
        self.add_module(prefix, "of_the_base", "value = 7\n", "dist-packages")
        with_base = self.make_venv(prefix + "/bin/python3", self.path("home/with"), "--system-site-packages")
        without = self.make_venv(prefix + "/bin/python3", self.path("home/without"))
        self.assertEqual(self.same(with_base + "/bin/python3", "--venv", with_base, imports="of_the_base")["imported"], [7])
        result = self.run_capsule("-q", "--venv", without, "-c", "import of_the_base", env=self.env)
        self.assertIn("ModuleNotFoundError", self.check(result, 1).err)

    def test_active(self):
        venv = self.make_venv(harness.system_python(), self.path("home/venv"))
        for path in (venv + "/bin:" + self.env["PATH"], self.env["PATH"]):
            env = dict(self.env, VIRTUAL_ENV=venv, PATH=path)
            with self.subTest(path=path):
                self.assertEqual(self.same(venv + "/bin/python3", imports="inside_venv", env=env)["prefix"], venv)
        # PATH's order counts where both are there, as for the shell.
        prefix = self.make_prefix(self.path("home/first"))
        env = dict(self.env, VIRTUAL_ENV=venv, PATH="%s/bin:%s/bin:%s" % (prefix, venv, self.env["PATH"]))
        self.assertEqual(self.same(prefix + "/bin/python3", env=env)["prefix"], prefix)
        # One that is gone says nothing.
        env = dict(self.env, VIRTUAL_ENV=self.path("home/gone"))
        self.assertEqual(self.same(harness.system_python(), env=env)["prefix"], "/usr")

    def test_named_otherwise_counts_less_than_asked_for(self):
        venv = self.make_venv(harness.system_python(), self.path("home/venv"))
        env = dict(self.env, VIRTUAL_ENV=venv, PATH=venv + "/bin:" + self.env["PATH"])
        self.assertEqual(self.same(harness.system_python(), "--python", harness.system_python(), env=env)["prefix"], "/usr")

    def test_both_options(self):
        venv = self.make_venv(harness.system_python(), self.path("venv"))
        self.same(venv + "/bin/python", "--venv", venv, "--python", "venv/bin/python", imports="inside_venv")
        self.refused(self.run_capsule("--venv", venv, "--python", harness.system_python(), "-c", "pass"),
                     "--venv " + venv, "--python " + harness.system_python(), status=2)

    def test_programs(self):
        """What an environment brings along runs, by --exec and from the task."""
        venv = self.make_venv(harness.system_python(), self.path("home/venv"))
        tool = self.write("home/venv/bin/tool", "#!%s/bin/python3\nimport inside_venv, sys\nprint(inside_venv.value, sys.prefix)\n" % venv, 0o755)
        said = "42 %s\n" % venv
        self.assertEqual(self.outside(tool), said)
        self.assertEqual(self.check(self.run_capsule("-q", "--venv", venv, "--exec", "--", "tool")).out, said)
        self.assertEqual(self.check(self.run_capsule("-q", "--venv", venv, "--exec", "tool")).out, said)
        self.says("import subprocess; print(subprocess.check_output(['tool'], text=True), end='')", said[:-1],
                  opts=("--venv", venv))
        self.says("import os, subprocess, sys; print(os.environ['VIRTUAL_ENV'], subprocess.check_output("
                  "['sh', '-c', 'command -v python; command -v tool'], text=True).split())",
                  "%s ['%s/bin/python', '%s/bin/tool']" % (venv, venv, venv), opts=("--venv", venv))
        # Without the option no interpreter but the system's is shown to a program.
        self.check(self.run_capsule("-q", "--exec", "--", tool), 127)

    def test_customization(self):
        venv = self.make_venv(harness.system_python(), self.path("venv"))
        self.add_module(venv, "usercustomize", "print('user')\n")
        self.add_module(venv, "custom", "print('customized')\n")
        with open("%s/lib/%s/site-packages/custom.pth" % (venv, self.name), "w") as f:
            f.write("import custom\n")
        self.assertEqual(self.check(self.run_capsule("-q", "--venv", venv, "-c", "pass")).out, "customized\n")

    def test_made_by_another_environment(self):
        prefix = self.make_prefix(self.path("home/python"))
        one = self.make_venv(prefix + "/bin/python3", self.path("home/one"))
        for options in ((), ("--copies",)):
            with self.subTest(options=options):
                two = self.make_venv(one + "/bin/python3", self.path("home/two"), *options)
                self.assertEqual(self.same(two + "/bin/python3", "--venv", two, imports="inside_venv")["base"], prefix)
                shutil.rmtree(two)

    def test_behind_links(self):
        """A home that is a link, an environment that is one, and its program by three of them."""
        prefix = self.make_prefix(self.path("data/python"))
        self.write("data/secret.txt", "x")
        venv = self.make_venv(prefix + "/bin/python3", self.path("data/me/venv"))
        os.makedirs(self.path("links"))
        os.symlink(prefix + "/bin/python3", self.path("links/python3"))
        os.remove(venv + "/bin/python3")
        os.remove(venv + "/bin/python")
        os.symlink(self.path("links/python3"), venv + "/bin/python3")
        os.symlink("python3", venv + "/bin/python")
        os.symlink(self.path("data/me"), self.path("me"))
        os.symlink("venv", self.path("data/me/current"))
        named = self.path("me/current")
        secrets = [self.path("data/secret.txt"), self.write("links/secret.txt", "x"), self.write("data/me/secret.txt", "x")]
        inside = self.same(named + "/bin/python", "--venv", named, imports="inside_venv", secrets=secrets)
        self.assertEqual(inside["prefix"], named)
        self.same(named + "/bin/python", "--venv", named, "--runtime", "closure", imports="inside_venv", secrets=secrets)
        # Going up from a link: by the place where it really is.
        self.same(venv + "/bin/python", "--python", "me/current/../venv/bin/python", imports="inside_venv", secrets=secrets)
        out = self.check(self.run_capsule("-q", "--venv", named, "-c", "import subprocess, sys; print(subprocess.check_output("
                                          "[sys.executable, '-c', 'import inside_venv; print(inside_venv.value)']))")).out
        self.assertEqual(out, "b'42\\n'\n")

    def test_in_the_project_itself(self):
        """`python3 -m venv .`: the project's own files are not the environment's."""
        project = self.make_venv(harness.system_python(), self.path("project"))
        secrets = [self.write("project/" + n, "x") for n in (".env", "main.py", ".git/config", "src/x.py", "pip.conf")]
        self.same(project + "/bin/python3", "--venv", project, imports="inside_venv", secrets=secrets)

    def test_in_the_home_directory_itself(self):
        home = self.make_venv(harness.system_python(), self.home)
        secrets = [self.write("home/" + n, "x") for n in ("bin/mytool", ".ssh/id", "lib/notes", "share/x", "include/x")]
        self.same(home + "/bin/python3", "--venv", home, imports="inside_venv", secrets=secrets)

    def test_virtualenv(self):
        if subprocess.run([harness.system_python(), "-c", "import virtualenv"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("virtualenv is not installed")
        for options in ((), ("--copies",)):
            venv = self.path("home/venv")
            self.outside(harness.system_python(), "-m", "virtualenv", "--no-download", "--app-data", self.path("cache"),
                         *options, venv)
            self.add_module(venv, "inside_venv", "value = 42\n")
            self.same(venv + "/bin/python", "--venv", venv, imports="inside_venv")
            if not options:
                out = self.check(self.run_capsule("-q", "--fresh", "--venv", venv, "--exec", "--", "pip", "--version",
                                                  sandbox=False)).out
                self.assertIn(venv, out)
            shutil.rmtree(venv)

    def test_what_is_bound_into_one(self):
        venv = self.make_venv(harness.system_python(), self.path("venv"))
        self.write("other.py", "value = 43\n")
        guest = "%s/lib/%s/site-packages/inside_venv.py" % (venv, self.name)
        out = self.check(self.run_capsule("-q", "--venv", venv, "--bind", "%s:%s" % (self.path("other.py"), guest), "-c",
                                          "import inside_venv; print(inside_venv.value)")).out
        self.assertEqual(out, "43\n")

    def test_editable_installs(self):
        """The project is not shown by itself; --verbose says so; --bind shows it."""
        venv = self.make_venv(harness.system_python(), self.path("venv"))
        site = "%s/lib/%s/site-packages/" % (venv, self.name)
        self.write("home/proj/editable_one.py", "value = 1\n")
        self.write("home/more/pkg/__init__.py", "value = 2\n")
        with open(site + "one.pth", "w") as f:
            f.write(self.path("home/proj") + "\n")
        with open(site + "__editable___pkg_finder.py", "w") as f:
            f.write("from __future__ import annotations\nMAPPING: dict[str, str] = {'pkg': '%s'}\n" % self.path("home/more/pkg"))
        code = "import editable_one; print(editable_one.value)"
        result = self.run_capsule("-v", "--venv", venv, "-c", code)
        self.assertIn("ModuleNotFoundError", self.check(result, 1).err)
        self.assertIn("--bind " + self.path("home/proj") + "\n", result.err)
        self.assertIn("--bind " + self.path("home/more") + "\n", result.err)
        result = self.check(self.run_capsule("-v", "--venv", venv, "--bind", self.path("home/proj"), "-c", code))
        self.assertEqual(result.out, "1\n")
        self.assertNotIn("--bind " + self.path("home/proj") + "\n", result.err)


class Installations(Case):
    def test_pyenv(self):
        """The shim stands for what pyenv's own files say, in pyenv's order."""
        root = self.path("home/.pyenv")
        prefix = self.make_prefix(root + "/versions/3.11.9")
        self.make_prefix(root + "/versions/3.11.10")
        self.write("home/.pyenv/shims/python3", "#!/bin/sh\nexit 99\n", 0o755)
        self.write("home/.pyenv/version", "3.11.9\n")
        secrets = [self.write("home/.pyenv/secret", "x"), root + "/versions/3.11.10/lib"]
        env = dict(self.env, PATH=root + "/shims:" + self.env["PATH"])
        self.assertEqual(self.same(prefix + "/bin/python3", env=env, secrets=secrets)["prefix"], prefix)
        newest = root + "/versions/3.11.10"
        self.assertEqual(self.same(newest + "/bin/python3", env=dict(env, PYENV_VERSION="3.11"))["prefix"], newest)
        self.write("home/work/.python-version", "system\n")
        self.assertEqual(self.same(harness.system_python(), env=env, cwd=self.path("home/work"))["prefix"], "/usr")

    def test_pyenv_virtualenv(self):
        root = self.path("home/.pyenv")
        prefix = self.make_prefix(root + "/versions/3.11.9")
        self.make_venv(prefix + "/bin/python3", prefix + "/envs/mine")
        other = self.make_venv(prefix + "/bin/python3", prefix + "/envs/other")
        os.symlink(prefix + "/envs/mine", root + "/versions/mine")
        self.write("home/.pyenv/shims/python3", "#!/bin/sh\nexit 99\n", 0o755)
        self.write("home/work/.python-version", "mine\n")
        env = dict(self.env, PATH=root + "/shims:" + self.env["PATH"])
        inside = self.same(root + "/versions/mine/bin/python3", env=env, cwd=self.path("home/work"),
                           imports="inside_venv", secrets=[other + "/bin"])
        self.assertEqual(inside["prefix"], root + "/versions/mine")
        tool = self.write("home/.pyenv/versions/3.11.9/envs/mine/bin/tool", "#!%s/envs/mine/bin/python3\nimport sys; print(sys.prefix)\n" % prefix, 0o755)
        result = self.run_capsule("-q", "--venv", root + "/versions/mine", "--exec", "--", "tool", env=env)
        self.assertEqual(self.check(result).out, self.outside(tool))

    def test_asdf(self):
        root = self.path("home/.asdf")
        prefix = self.make_prefix(root + "/installs/python/3.11.9")
        self.write("home/.asdf/shims/python3", "#!/usr/bin/env bash\n# asdf-plugin: python 3.11.9\n"
                   "exec %s/bin/asdf exec \"python3\" \"$@\"\n" % root, 0o755)
        self.write("home/work/.tool-versions", "nodejs 20.1\npython 3.11.9\n")
        env = dict(self.env, PATH=root + "/shims:" + self.env["PATH"])
        self.same(prefix + "/bin/python3", env=env, cwd=self.path("home/work"))

    def test_uv(self):
        store = self.path("home/.local/share/uv/python")
        prefix = self.make_prefix(store + "/cpython-3.11.9-linux-x86_64-gnu")
        os.symlink("cpython-3.11.9-linux-x86_64-gnu", store + "/cpython-3.11-linux-x86_64-gnu")
        named = store + "/cpython-3.11-linux-x86_64-gnu"
        venv = self.make_venv(prefix + "/bin/python3", self.path("home/proj/.venv"))
        for name in ("python", "python3", self.name):
            os.remove("%s/bin/%s" % (venv, name))
        os.symlink("%s/bin/%s" % (named, self.name), venv + "/bin/python")
        os.symlink("python", venv + "/bin/python3")
        self.write("home/proj/.venv/pyvenv.cfg", "home = %s/bin\nimplementation = CPython\nuv = 0.8.4\n"
                   "version_info = 3.11.9\ninclude-system-site-packages = false\n" % named)
        self.write("home/proj/.venv/.lock")
        secrets = [self.write("home/proj/.env", "x"), self.write("home/.local/share/keyrings/x", "x")]
        inside = self.same(venv + "/bin/python", "--venv", venv, imports="inside_venv", secrets=secrets)
        self.assertEqual(inside["base"], named)
        self.same(venv + "/bin/python", "--venv", venv, "--profile", "strict", imports="inside_venv", secrets=secrets)
        # The link that `uv python install` makes.
        os.makedirs(self.path("home/.local/bin"))
        os.symlink(prefix + "/bin/" + self.name, self.path("home/.local/bin/" + self.name))
        self.same(self.path("home/.local/bin/" + self.name), "--python", self.path("home/.local/bin/" + self.name), secrets=secrets)
        env = dict(self.env, PATH=self.path("home/.local/bin") + ":" + self.env["PATH"])
        self.assertEqual(self.same(prefix + "/bin/python3", "--python", self.name, env=env, secrets=secrets)["prefix"], prefix)

    def test_conda(self):
        conda = self.make_prefix(self.path("home/miniconda3"))
        env_dir = self.make_prefix(conda + "/envs/work")
        for where in (conda, env_dir):
            os.makedirs(where + "/conda-meta")
            self.add_module(where, "in_conda", "value = 5\n", "dist-packages")
        cert = self.write("home/miniconda3/envs/work/ssl/cacert.pem", "certificates")
        secrets = [self.write("home/miniconda3/envs/work/" + n, "x") for n in
                   ("conda-meta/state", "etc/conda/activate.d/keys.sh", "ssl/private/key", ".condarc")]
        inside = self.same(env_dir + "/bin/python3", "--python", env_dir + "/bin/python3", imports="in_conda",
                           secrets=secrets + [conda + "/conda-meta"])
        self.assertEqual(inside["prefix"], env_dir)
        result = self.run_capsule("-q", "--python", env_dir + "/bin/python", "-c", "print(open(%r).read())" % cert)
        self.assertEqual(self.check(result).out, "certificates\n")
        env = dict(self.env, PATH=conda + "/bin:" + self.env["PATH"])
        self.assertEqual(self.same(conda + "/bin/python3", env=env, secrets=[env_dir + "/lib"])["prefix"], conda)

    def test_in_the_home_directory_itself(self):
        """./configure --prefix=$HOME, and ~/.local."""
        for where in ("home", "home/.local"):
            with self.subTest(where=where):
                prefix = self.make_prefix(self.path(where))
                self.add_module(prefix, "own", "value = 3\n", "dist-packages")
                secrets = [self.write("%s/%s" % (where, n), "x") for n in ("bin/mytool", "share/keyrings/x", "lib/notes.txt", ".ssh/id")]
                inside = self.same(prefix + "/bin/python3", "--python", prefix + "/bin/python3", imports="own", secrets=secrets)
                self.assertEqual(inside["prefix"], prefix)
                shutil.rmtree(prefix + "/lib")
                shutil.rmtree(prefix + "/bin")

    def test_in_a_directory_that_holds_other_things(self):
        prefix = self.make_prefix(self.path("home/stuff"))
        secrets = [self.write("home/stuff/" + n, "x") for n in ("letters/one", "share/photos/x", "bin/mytool", "secret")]
        self.same(prefix + "/bin/python3", "--python", prefix + "/bin/python3", secrets=secrets)

    def test_below_opt(self):
        """A prefix of its own there, and /opt as the prefix itself."""
        own = self.make_prefix(self.path("own"))
        shared = self.make_prefix(self.path("shared"))
        os.mkdir(self.path("shared/mine"))
        script = self.write("report.py", REPORT)
        secrets = [self.write("shared/" + n, "x") for n in ("bin/mytool", "app/config", "share/x")]
        for prefix, source, hidden in (("/opt/mine", own, []), ("/opt", shared, secrets)):
            hidden = [s.replace(shared, "/opt") for s in hidden]

            def enter(source=source, prefix=prefix):
                harness.private_mounts()
                harness.mount(shared, "/opt", None, harness.MS_BIND)
                if prefix != "/opt":
                    harness.mount(source, prefix, None, harness.MS_BIND)

            if not os.path.isdir("/opt"):
                self.skipTest("no /opt")
            plain = subprocess.run([prefix + "/bin/python3", script, "", *hidden], env=self.env, preexec_fn=enter,
                                   stdout=subprocess.PIPE, timeout=harness.PATIENCE, check=True).stdout
            self.assertEqual(json.loads(plain)["seen"], hidden)
            result = self.check(self.run_capsule("-q", "--python", prefix + "/bin/python3", script, "", *hidden,
                                                 env=self.env, preexec_fn=enter))
            self.assertEqual((json.loads(result.out)["prefix"], json.loads(result.out)["seen"]), (prefix, []))

    def test_below_a_closed_directory(self):
        """As /root is: the task's user could not get there, and need not."""
        prefix = self.make_prefix(self.path("closed/python"))
        venv = self.make_venv(prefix + "/bin/python3", self.path("closed/venv"))
        os.chmod(self.path("closed"), 0o700)
        self.same(prefix + "/bin/python3", "--python", prefix + "/bin/python3")
        self.same(venv + "/bin/python3", "--venv", venv, imports="inside_venv")

    @harness.only_root
    def test_closed_itself(self):
        prefix = self.make_prefix(self.path("home/python"))
        for part in ("", "/lib", "/lib/" + self.name, "/bin"):
            os.chmod(prefix + part, 0o700)
            result = self.run_capsule("--python", prefix + "/bin/python3", "-c", "pass")
            self.refused(result, prefix + part + " is closed to the task's user", "chmod -R go+rX " + prefix + part)
            os.chmod(prefix + part, 0o755)
        self.same(prefix + "/bin/python3", "--python", prefix + "/bin/python3")

    def test_environment_of_the_caller_has_no_say(self):
        prefix = self.make_prefix(self.path("python"))
        env = dict(self.env, PYTHONHOME=self.path("gone"), PYTHONPATH=self.path("gone"), PYTHONPLATLIBDIR="gone",
                   PYTHONSTARTUP=self.path("gone"))
        out = self.check(self.run_capsule("-q", "--python", prefix + "/bin/python3", "-c", "import sys; print(sys.prefix)", env=env)).out
        self.assertEqual(out, prefix + "\n")

    def test_by_a_name(self):
        prefix = self.make_prefix(self.path("python"))
        env = dict(self.env, PATH="%s/bin:%s" % (prefix, self.env["PATH"]))
        self.assertEqual(self.same(prefix + "/bin/python3", "--python", self.name, env=env)["prefix"], prefix)
        self.refused(self.run_capsule("--python", "python3.99", "-c", "pass", env=env), "python3.99", "--python", status=127)


class Libraries(Case):
    def build(self, directory):
        """A package with an extension that needs a library which lies beside the package."""
        gcc = harness.need("gcc")
        include = self.outside(harness.system_python(), "-c", "import sysconfig; print(sysconfig.get_paths()['include'])").strip()
        if not os.path.exists(include + "/Python.h"):
            self.skipTest("no Python.h (Debian: libpython3-dev)")
        os.makedirs(directory + "/wheel")
        os.makedirs(directory + "/wheel.libs")
        self.write("bundled.c", "int bundled(void) { return 77; }\n")
        self.write("ext.c", EXTENSION)
        library = directory + "/wheel.libs/libbundled-0a1b2c.so"
        for argv in ([gcc, "-shared", "-fPIC", "-o", library, "bundled.c", "-Wl,-soname,libbundled-0a1b2c.so"],
                     [gcc, "-shared", "-fPIC", "-o", directory + "/wheel/_ext.so", "ext.c", "-I", include, library,
                      "-Wl,-rpath,$ORIGIN/../wheel.libs"]):
            subprocess.run(argv, check=True, cwd=self.tmp, timeout=harness.PATIENCE)
        with open(directory + "/wheel/__init__.py", "w") as f:
            f.write("from ._ext import value\n")

    def test_that_a_wheel_brought_along(self):
        venv = self.make_venv(harness.system_python(), self.path("home/venv"))
        site = "%s/lib/%s/" % (venv, self.name)
        self.build(site + "site-packages")
        self.assertEqual(self.same(venv + "/bin/python3", "--venv", venv, imports="wheel")["imported"], [77])
        # The same in a prefix, in parts and as a whole, and in a home directory.
        for where, beside in (("home/python", None), ("home/parts", "secret"), ("home", "project/x")):
            prefix = self.make_prefix(self.path(where))
            shutil.copytree(site + "site-packages", "%s/lib/%s/dist-packages" % (prefix, self.name))
            secrets = [self.write("%s/%s" % (where, beside), "x")] if beside else []
            with self.subTest(where=where):
                inside = self.same(prefix + "/bin/python3", "--python", prefix + "/bin/python3", imports="wheel", secrets=secrets)
                self.assertEqual(inside["imported"], [77])


class Refusals(Case):
    def test_shims_whose_settings_are_not_read(self):
        os.makedirs(self.path("mise/bin"))
        shutil.copy("/bin/true", self.path("mise/bin/mise"))
        os.makedirs(self.path("shims"))
        os.symlink(self.path("mise/bin/mise"), self.path("shims/python3"))
        env = dict(self.env, PATH=self.path("shims") + ":" + self.env["PATH"])
        self.refused(self.run_capsule("-c", "pass", env=env), "mise", '--python "$(mise which python3)"')

    def test_wrappers(self):
        wrapper = self.write("bin/python3", "#!/bin/sh\nexec conda run -n x python \"$@\"\n", 0o755)
        env = dict(self.env, PATH=self.path("bin") + ":" + self.env["PATH"])
        self.refused(self.run_capsule("-c", "pass", env=env), wrapper, "is a script (/bin/sh)", "--python")

    def test_broken_environments(self):
        prefix = self.make_prefix(self.path("python"))
        linked = self.make_venv(prefix + "/bin/python3", self.path("linked"))
        copied = self.make_venv(prefix + "/bin/python3", self.path("copied"), "--copies")
        os.rename(prefix, self.path("moved"))
        self.refused(self.run_capsule("--venv", linked, "-c", "pass"), "leads to", prefix, "make the environment anew", status=127)
        self.refused(self.run_capsule("--venv", copied, "-c", "pass"), prefix, "make the environment anew", "--python")
        env = dict(self.env, VIRTUAL_ENV=linked, PATH=linked + "/bin:" + self.env["PATH"])
        self.refused(self.run_capsule("-c", "pass", env=env), linked, "--python", status=127)
        self.refused(self.run_capsule("--venv", self.home, "-c", "pass"), "no virtual environment", "python3 -m venv")
        self.refused(self.run_capsule("--venv", self.path("none"), "-c", "pass"), "--venv", status=127)
        self.refused(self.run_capsule("--python", copied, "-c", "pass"), "Is a directory", "--venv", status=126)

    def test_where_tasks_write(self):
        """Not the sandbox directory, not what is bound to be written, not by a link from there."""
        inside = self.make_venv(harness.system_python(), self.path("sandbox/venv"))
        self.refused(self.run_capsule("--venv", inside, "-c", "pass"), "where tasks write", "--python")
        venv = self.make_venv(harness.system_python(), self.path("project/venv"))
        self.refused(self.run_capsule("--bind", self.path("project") + ":rw", "--venv", venv, "-c", "pass"),
                     "where tasks write", "--python")
        self.same(venv + "/bin/python3", "--bind", self.path("project"), "--venv", venv, imports="inside_venv")
        prefix = self.make_prefix(self.path("home/python"))
        os.symlink(prefix + "/bin/python3", self.dir + "/python3")
        self.refused(self.run_capsule("--python", self.dir + "/python3", "-c", "pass"), "where tasks write", "--python")

    def test_a_library_that_leads_out_of_its_prefix(self):
        """Such a link is not followed for a task; the user can."""
        prefix = self.make_prefix(self.path("home/python"))
        os.rename(prefix + "/lib", self.path("home/lib"))
        os.symlink(self.path("home/lib"), prefix + "/lib")
        self.refused(self.run_capsule("--python", prefix + "/bin/python3", "-c", "pass"), "outside of its prefix", "--bind")
        self.same(prefix + "/bin/python3", "--python", prefix + "/bin/python3", "--bind", self.path("home/lib"))

    def test_a_loader_that_lies_elsewhere(self):
        """As Nix, Guix and Homebrew have their own."""
        prefix = self.make_prefix(self.path("home/python"))
        with open(BASE + "/bin/" + self.name, "rb") as f:
            program = f.read()
        named = re.search(rb"/lib[^\0]*/ld-[^\0]*(?=\0)", program)[0]
        own = tempfile.mkdtemp(prefix="c.", dir="/tmp")
        self.addCleanup(shutil.rmtree, own)
        os.chmod(own, 0o755)
        loader = own + "/ld"
        self.assertLessEqual(len(loader), len(named))
        shutil.copy(named.decode(), loader)
        os.remove(prefix + "/bin/" + self.name)
        with open(prefix + "/bin/" + self.name, "wb") as f:
            f.write(program.replace(named + b"\0", loader.encode().ljust(len(named) + 1, b"\0"), 1))
        os.chmod(prefix + "/bin/" + self.name, 0o755)
        self.refused(self.run_capsule("--python", prefix + "/bin/python3", "-c", "pass"), "its loader " + loader, "--bind " + own)
        self.same(prefix + "/bin/python3", "--python", prefix + "/bin/python3", "--bind", own)

    def test_a_planted_environment_shows_nothing(self):
        """Whatever its files name: a home directory, keys, an environment's parts as links."""
        self.write("home/.ssh/id", "SECRET")
        for part, target in (("lib", "home/.ssh"), ("share", "home/.ssh"), ("bin/extra", "home/.ssh"), ("pyvenv.cfg", None)):
            venv = self.make_venv(harness.system_python(), self.path("venv"))
            if part == "lib":
                shutil.rmtree(venv + "/lib")
            if target:
                os.symlink(self.path(target), "%s/%s" % (venv, part))
            else:
                self.write("venv/pyvenv.cfg", "home = %s\n" % self.path("home/.ssh"))
            secrets = [self.path("home/.ssh/id"), "%s/%s/id" % (venv, part)]
            result = self.run_capsule("-q", "--venv", venv, "-c", "import os, sys; print([os.path.exists(p) for p in %r])" % secrets)
            with self.subTest(part=part):
                self.assertTrue(os.path.exists(secrets[0]))
                self.assertNotIn("True", result.out)
                self.assertIn(result.status, (0, 125), "\n%s" % result)
            shutil.rmtree(venv)


if __name__ == "__main__":
    unittest.main()
