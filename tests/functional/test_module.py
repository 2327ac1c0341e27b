"""The module `capsule` in an ordinary Python program: starting sandboxes, and what comes back."""
import asyncio
import importlib.util
import json
import os
import pickle
import re
import subprocess
import sys
import unittest

import harness

MODULE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "python")
sys.path.insert(0, MODULE)
sys.dont_write_bytecode = True

import capsule  # noqa: E402
from capsule import _host, _task  # noqa: E402

LIB = """\
import asyncio
import os
import sys
from capsule import task

SECRET = os.environ.get("SECRET")

@task(timeout="50s")
def add(a, b=1):
    print("adding")
    return [a, b]

@task
def fail(text):
    raise ValueError(text)

@task
def loop():
    while True: pass

@task
async def double(x):
    await asyncio.sleep(0)
    return 2 * x

@task(ram="2GB")
def big():
    pass

@task
def where():
    return [os.getcwd(), sys.stdin.read(), SECRET, __name__]
"""


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, _task, "backend", None)
        self.addCleanup(_host._configured.update, executable=None, options={})
        capsule.configure(executable=harness.CAPSULE_RUN, dir=self.dir)
        self.file = self.write("lib.py", LIB)

    def load(self):
        """The file as a module of this program's."""
        spec = importlib.util.spec_from_file_location("lib", self.file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


class Run(Case):
    def test_value_and_envelope(self):
        result = capsule.run(self.file, ["x"], {"b": {"y": None}}, task="add")
        self.assertIsInstance(result, capsule.Result)
        self.assertTrue(result.success)
        self.assertEqual((result.value, result["result"]), (["x", {"y": None}],) * 2)
        self.assertEqual((result.stdout, result.error), ("adding\n", None))
        self.assertEqual(result.verdict["outcome"], "exited")
        self.assertEqual(result["execution"]["task_name"], "add")

    def test_any_json_is_an_argument(self):
        value = [None, True, -1, 0.5, "\0\n\ud83d\ude00 \u00e4", {"a": []}, "--ram=1", "x" * 300000]
        self.assertEqual(capsule.run(self.file, [value], task="add").value[0], json.loads(json.dumps(value)))

    def test_what_json_does_not_have_is_told_before_anything_starts(self):
        for value in (float("nan"), {1}, b"x"):
            with self.assertRaises((TypeError, ValueError)):
                capsule.run("/no/such/file.py", [value])

    def test_a_failure_is_a_result(self):
        result = capsule.run(self.file, ["no"], task="fail")
        self.assertFalse(result.success)
        self.assertEqual(result.error, {"error_type": "task_error", "message": "ValueError: no"})
        with self.assertRaises(capsule.TaskError) as caught:
            result.value
        self.assertIs(caught.exception.result, result)

    def test_check_raises_what_went_wrong(self):
        for task, options, kind, error_type in (("loop", {"timeout": "1s"}, capsule.LimitError, "timeout"),
                                                ("big", {}, capsule.DeniedError, "usage"),
                                                ("add", {"timeout": "bogus"}, capsule.DeniedError, "usage"),
                                                ("add", {"dir": "/proc"}, capsule.SandboxError, "failed")):
            with self.subTest(task=task, options=options):
                with self.assertRaises(kind) as caught:
                    capsule.run(self.file, [1] if task == "add" else [], task=task, check=True, **options)
                self.assertEqual(caught.exception.error_type, error_type)
                self.assertIn(caught.exception.message, str(caught.exception))
                self.assertEqual(caught.exception.verdict is None, error_type == "usage")

    def test_exceptions_can_be_pickled(self):
        with self.assertRaises(capsule.TaskError) as caught:
            capsule.run(self.file, ["no"], task="fail", check=True)
        again = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((type(again), again.result), (capsule.TaskError, caught.exception.result))

    def test_options_are_those_of_capsule_run(self):
        self.assertEqual(_host.option_words({"ram": "1G", "accept_declared": True, "fresh": False, "timeout": None,
                                             "env": ["A", "B=1"], "cpu": 0.5, "pids": 10}),
                         ["--ram=1G", "--accept-declared", "--env=A", "--env=B=1", "--cpu=0.5", "--pids=10"])
        with self.assertRaises(TypeError):
            _host.option_words({"ram": {}})
        self.assertEqual(capsule.run(self.file, task="where", env=["SECRET=s"]).value[2], "s")

    def test_configured_options_are_where_others_begin(self):
        capsule.configure(env=["SECRET=s"], timeout="51s")
        self.assertEqual(capsule.run(self.file, task="where").value[2], "s")
        limits = capsule.run(self.file, task="where", timeout="52s").verdict["limits"]
        self.assertEqual(limits["timeout"]["value"], "52s")

    def test_input(self):
        self.assertEqual(capsule.run(self.file, task="where").value[1], "")
        self.assertEqual(capsule.run(self.file, task="where", input="text").value[1], "text")
        self.assertEqual(capsule.run(self.file, task="where", input=b"bytes").value[1], "bytes")

    def test_working_directory(self):
        os.mkdir(self.path("project"))
        self.write("project/data/x.txt", "x")
        self.write("project/t.py", "from capsule import task\n@task(allowed_files=[{'path': 'data', 'mode': 'ro'}])\n"
                                   "def main(): return open('data/x.txt').read()\n")
        self.assertEqual(capsule.run("t.py", cwd=self.path("project"), accept_declared=True).value, "x")
        with self.assertRaises(capsule.DeniedError):
            capsule.run("t.py", cwd=self.path("project"), check=True)

    def test_a_plain_script_has_no_result(self):
        path = self.write("plain.py", "print('x')\n")
        with self.assertRaises(capsule.DeniedError):
            capsule.run(path, [1], check=True)

    def test_nothing_to_start(self):
        capsule.configure(executable="/no/such/program")
        with self.assertRaises(capsule.NotInstalledError):
            capsule.run(self.file)
        with self.assertRaises(capsule.NotInstalledError):
            asyncio.run(capsule.run_async(self.file))

    def test_what_is_not_capsule_run(self):
        capsule.configure(executable=self.write("other", "#!/bin/sh\necho hello\necho why >&2\nexit 3\n", 0o755))
        with self.assertRaises(capsule.CapsuleError) as caught:
            capsule.run(self.file)
        self.assertIn("status 3 and no result: why", str(caught.exception))

    def test_found_by_variable_or_path(self):
        code = "import capsule\nprint(capsule.run(%r, [1], task='add', fresh=True).value)\n" % self.file
        for env in ({"CAPSULE_RUN": harness.CAPSULE_RUN},
                    {"PATH": os.path.dirname(harness.CAPSULE_RUN) + ":" + os.environ["PATH"], "CAPSULE_RUN": ""}):
            done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=MODULE, **env),
                                  stdout=subprocess.PIPE, timeout=harness.PATIENCE, cwd=self.tmp)
            self.assertEqual(done.stdout, b"[1, 1]\n")

    def test_no_descriptor_is_left(self):
        before = os.listdir("/proc/self/fd")
        capsule.run(self.file, [1], task="add")
        asyncio.run(capsule.run_async(self.file, [1], task="add"))
        self.assertEqual(os.listdir("/proc/self/fd"), before)


class Async(Case):
    def test_side_by_side(self):
        async def main():
            return await asyncio.gather(*(capsule.run_async(self.file, [i], task="add") for i in range(3)))

        self.assertEqual([result.value for result in asyncio.run(main())], [[i, 1] for i in range(3)])

    def test_check(self):
        with self.assertRaises(capsule.TaskError):
            asyncio.run(capsule.run_async(self.file, ["no"], task="fail", check=True))

    def test_cancelling_ends_the_sandbox(self):
        marker = "capsule-cancelled-%d" % os.getpid()
        path = self.write(marker + ".py", "from capsule import task\n@task\ndef main():\n    import time\n"
                                          "    open('started', 'w').close()\n    time.sleep(999)\n")

        async def main():
            running = asyncio.ensure_future(capsule.run_async(path))
            while not os.path.exists(os.path.join(self.dir, "started")):
                await asyncio.sleep(0.01)
            running.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await running

        asyncio.run(asyncio.wait_for(main(), harness.PATIENCE))
        harness.wait_until(lambda: not harness.marked_processes(marker), "the end of the sandbox")


class Functions(Case):
    """A task's function in the program that holds it."""

    def test_as_it_is_until_asked(self):
        lib = self.load()
        self.assertEqual((lib.add(1), lib.add(1, b=2)), ([1, 1], [1, 2]))
        self.assertEqual(asyncio.run(lib.double(2)), 4)

    def test_in_a_sandbox_when_asked(self):
        lib = self.load()
        self.assertEqual(lib.where.call()[0], harness.GUEST_DIR)
        self.assertEqual(lib.add.call(1, b=[2]), [1, [2]])
        self.assertEqual(lib.add.run(1)["stdout"], "adding\n")
        self.assertEqual(lib.double.call(3), 6)
        self.assertEqual(asyncio.run(lib.double.call_async(4)), 8)
        self.assertTrue(asyncio.run(lib.double.run_async(4)).success)

    def test_errors(self):
        lib = self.load()
        self.assertEqual(lib.fail.run("x").error["message"], "ValueError: x")
        with self.assertRaises(capsule.TaskError):
            lib.fail.call("x")

    def test_every_call_in_a_sandbox(self):
        lib = self.load()
        capsule.configure(sandbox=True)
        self.assertEqual(lib.where()[0], harness.GUEST_DIR)
        self.assertEqual(asyncio.run(lib.double(5)), 10)
        with self.assertRaises(capsule.TaskError):
            lib.fail("x")
        capsule.configure(sandbox=False)
        self.assertEqual(lib.where.task.function.__name__, "where")
        self.assertEqual(lib.add(1), [1, 1])

    def test_a_task_without_a_file(self):
        space = {}
        exec("from capsule import task\n@task\ndef f(): return 1\n", space)
        with self.assertRaises(capsule.CapsuleError):
            space["f"].run()
        self.assertEqual(space["f"](), 1)

    def test_the_program_itself_may_hold_the_task(self):
        path = self.write("program.py", "import capsule\n@capsule.task\ndef f(x): return [x, __name__]\n"
                                        "if __name__ == '__main__':\n    capsule.configure(fresh=True)\n"
                                        "    print(f(1), f.call(2))\n")
        done = subprocess.run([sys.executable, path], env=dict(os.environ, PYTHONPATH=MODULE, PYTHONDONTWRITEBYTECODE="1",
                                                               CAPSULE_RUN=harness.CAPSULE_RUN),
                              stdout=subprocess.PIPE, timeout=harness.PATIENCE, cwd=self.tmp)
        self.assertEqual(done.stdout, b"[1, '__main__'] [2, 'program']\n")


class ArgumentsFile(Case):
    def answer(self, text, *opts, status=0):
        path = self.write("args.json", text)
        return self.check(self.run_capsule("-q", "--args-file", path, "--task", "add", *opts, self.file), status)

    def test_lists_and_objects(self):
        for text, expected in (("[1]", [1, 1]), ('[1, {"x": 2}]', [1, {"x": 2}]), ('{"args": [1], "kwargs": {"b": 3}}',
                               [1, 3]), ('{"kwargs": {"a": null}}', [None, 1])):
            with self.subTest(text=text):
                self.assertEqual(json.loads(self.answer(text).out.splitlines()[-1]), expected)

    def test_what_is_not_understood(self):
        for text in ("", "1", "{", '{"args": 1}', '{"kwargs": []}', '{"args": [], "more": 1}', "[1]x"):
            with self.subTest(text=text):
                self.assertIn("--args-file", self.answer(text, status=2).err)

    def test_not_beside_arguments(self):
        self.refused(self.run_capsule("--args-file", self.write("a.json", "[]"), self.file, "x"), "--args-file", status=2)
        self.refused(self.run_capsule("--args-file", "/no/such", self.file), "--args-file", status=2)
        self.refused(self.run_capsule("--args-file", self.path("a.json"), "-c", "1"), "--args-file", status=2)


class Installation(Case):
    def test_in_a_virtual_environment(self):
        """By one link, as the manual says."""
        python = harness.system_python()
        venv = self.path("venv")
        done = subprocess.run([python, "-m", "venv", "--without-pip", venv], stderr=subprocess.PIPE)
        if done.returncode != 0:
            self.skipTest("no venv: %s" % done.stderr.decode().strip()[-100:])
        site = subprocess.run([venv + "/bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
                              stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        os.symlink(os.path.join(os.path.realpath(MODULE), "capsule"), os.path.join(site, "capsule"))
        code = "import capsule\nprint(capsule.run(%r, [1], task='add', fresh=True).value)\n" % self.file
        env = dict(os.environ, CAPSULE_RUN=harness.CAPSULE_RUN, PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run([venv + "/bin/python", "-c", code], env=env, stdout=subprocess.PIPE, cwd=self.tmp,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.stdout, b"[1, 1]\n")

    def test_it_is_typed(self):
        self.assertTrue(os.path.exists(os.path.join(MODULE, "capsule", "py.typed")))
        with open(os.path.join(MODULE, "capsule", "__init__.pyi")) as f:
            stub = f.read()
        for name in capsule.__all__:
            self.assertRegex(stub, r"(?m)^(async def|def|class) %s\b" % name)

    def test_the_types_know_every_option(self):
        """All but those that the module sets itself or that are for people."""
        helped = subprocess.run([harness.CAPSULE_RUN, "--help", "all"], stdout=subprocess.PIPE).stdout.decode()
        options = {name.replace("-", "_") for name in re.findall(r"(?m)^ +(?:-\w, )?--([a-z][a-z-]*)", helped)}
        with open(os.path.join(MODULE, "capsule", "__init__.pyi")) as f:
            known = re.search(r"class _Options\(.*?\n\n", f.read(), re.S)[0]
        known = set(re.findall(r"(?m)^    (\w+):", known))
        own = {"args_file", "doctor", "exec", "help", "json", "list_profiles", "list_tasks", "no_stdin", "print_policy",
               "quiet", "raw_terminal", "summary", "task", "verbose", "version"}
        self.assertEqual(options - own, known)


if __name__ == "__main__":
    unittest.main()
