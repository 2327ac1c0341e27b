"""Task files: functions below @task, with the limits that they declare and the operator allows."""
import ast
import glob
import json
import os
import subprocess
import sys
import unittest

import harness
import schema

MODULE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "python")

HEAD = "from capsule import task\n"
# Speaks on the channel as it likes.
SPEAK = """
import os
def say(kind, body, length=None):
    data = kind.to_bytes(4, "little") + (len(body) if length is None else length).to_bytes(4, "little") + body
    while data:
        data = data[os.write(3, data):]
"""


class Case(harness.Case):
    def run_file(self, code, *args, opts=(), name="tasks.py", status=0, **kw):
        path = self.write(name, code)
        return self.check(self.run_capsule("-q", *opts, path, *args, **kw), status)

    def result(self, code, *args, **kw):
        """What the entry returned, as it is printed."""
        return json.loads(self.run_file(HEAD + code, *args, **kw).out)

    def envelope(self, code, *args, opts=(), status=0, **kw):
        result = self.run_file(HEAD + code, *args, opts=("--json", *opts), status=status, **kw)
        self.assertEqual(result.out.count("\n"), 1, result.out)
        envelope = json.loads(result.out)
        validator = schema.Validator(schema.load("envelope.schema.json"), schema.load("verdict.schema.json"))
        self.assertEqual(validator.errors(envelope), [])
        self.assertEqual(envelope["success"], status == 0)
        return envelope

    def says_no(self, code, *words, status=2, **kw):
        """Nothing was run, and the message has these words."""
        result = self.run_file(HEAD + code + "\nprint('was run')\n", status=status, **kw)
        self.assertEqual(result.out, "")
        for word in words:
            self.assertIn(word, result.err)
        return result


class Entry(Case):
    def test_the_task_named_main_comes_first(self):
        code = "@task\ndef first(): return 1\n@task(name='main')\ndef other(): return 2\ndef main(): return 3\n"
        self.assertEqual(self.result(code), 2)

    def test_then_the_function_main(self):
        envelope = self.envelope("@task\ndef first(): return 1\ndef main(*args): return list(args)\n", "a")
        self.assertEqual((envelope["result"], envelope["execution"]["task_name"]), (["a"], "main"))

    def test_a_function_main_that_is_a_task_of_another_name(self):
        code = "@task\ndef first(): return 1\n@task(name='other', timeout='7s')\ndef main(): return 2\n"
        envelope = self.envelope(code)
        self.assertEqual((envelope["result"], envelope["execution"]["task_name"]), (2, "other"))
        self.assertEqual(envelope["verdict"]["limits"]["timeout"]["value"], "7s")

    def test_then_the_first_task(self):
        self.assertEqual(self.result("@task\ndef one(): return 1\n@task\ndef two(): return 2\n"), 1)

    def test_the_one_that_is_asked_for(self):
        code = "@task\ndef one(): return 1\n@task\ndef two(): return 2\n"
        self.assertEqual(self.result(code, opts=("--task", "two")), 2)
        self.says_no(code, "--task three", "one, two", opts=("--task", "three"))

    def test_none_is_an_error(self):
        self.says_no("", "no task and no main()")

    def test_async_tasks(self):
        code = "import asyncio\n@task\nasync def main(x):\n    await asyncio.sleep(0)\n    return x\n"
        self.assertEqual(self.result(code, "a"), "a")

    def test_arguments_are_texts(self):
        self.assertEqual(self.result("@task\ndef main(*args, key=1): return [list(args), key]\n", "1", "--x=2", "ä"),
                         [["1", "--x=2", "ä"], 1])

    def test_a_wrong_number_of_arguments(self):
        self.assertIn("TypeError", self.run_file(HEAD + "@task\ndef main(x): pass\n", status=1).err)

    def test_spellings_of_the_import(self):
        for line, decorator in (("import os, capsule as c", "@c.task()"),
                                ("try:\n    from capsule import task\nexcept ImportError:\n    raise", "@task()"),
                                ("from importlib import import_module\nc = import_module('capsule')", "@c.task")):
            with self.subTest(line=line):
                result = self.run_file("%s\n%s\ndef f():\n    return [__name__ == '__main__']\n" % (line, decorator))
                self.assertEqual(result.out, "[false]\n")

    def test_any_other_file_is_a_plain_script(self):
        for code in ("# a capsule\n", '"""import capsule"""\n'):
            with self.subTest(code=code):
                result = self.run_file(code + "import sys\nprint(__name__, sys.argv[1:], input())", "a",
                                       stdin="line\n")
                self.assertEqual(result.out, "__main__ ['a'] line\n")

    def test_a_plain_script_has_no_tasks(self):
        self.refused(self.run_capsule("--task", "x", self.write("a.py", "print(1)")), "--task: ", status=2)
        self.refused(self.run_capsule("--task", "x", "-c", "print(1)"), "--task: ", status=2)

    def test_the_file_of_the_documentation_runs_unmodified(self):
        """The shape in which that project's files are written."""
        code = '''\
            """A workflow."""
            from capsule import task


            @task(name="main", compute="LOW", ram="64MB", timeout="30s", max_retries=0, allowed_hosts=[])
            def main(name: str = "World") -> dict:
                """Greets."""
                print("working...", end="")
                return {"message": f"Hello, {name}!", "length": len(name)}


            if __name__ == "__main__":
                raise SystemExit("run me with capsule")
            '''
        path = self.write("hello.py", code)
        result = self.check(self.run_capsule("-q", path, "Ada"))
        self.assertEqual(result.out, 'working...\n{"message":"Hello, Ada!","length":3}\n')

    def test_multiprocessing_spawn_finds_the_functions(self):
        code = ("import multiprocessing\ndef double(x): return 2 * x\n@task\ndef main():\n"
                "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
                "        return pool.map(double, [1, 2])\n")
        self.assertEqual(self.result(code), [2, 4])

    def test_a_file_named_like_a_module(self):
        self.assertEqual(self.result("import random\n@task\ndef main(): return random.Random(1).randint(1, 1)\n",
                                     name="random.py"), 1)

    def test_native_code_runs(self):
        """That project's tasks can't load an extension module. NumPy where it is installed."""
        code = ("import ctypes\ntry:\n    import numpy\nexcept ImportError:\n    numpy = None\n@task\ndef main():\n"
                "    sums = [3, 12] if numpy is None else (numpy.arange(6).reshape(2, 3) @ numpy.ones(3)).tolist()\n"
                "    return [ctypes.CDLL(None).abs(-5), sums]\n")
        self.assertEqual(self.result(code), [5, [3, 12]])


class Results(Case):
    def test_any_json(self):
        value = [None, True, 0, -1, 2**63 - 1, -2**63, 0.1, 1e300, "", "\0\n\x1b[31mä\U0001f600", [], {}, {"a": [{}]}]
        code = "@task\ndef main(): return %r\n" % value
        self.assertEqual(self.result(code), value)
        self.assertEqual(self.envelope(code)["result"], value)
        self.assertTrue(self.run_file(HEAD + code).out.isascii())

    def test_numbers_stay_as_they_were(self):
        self.assertEqual(self.run_file(HEAD + "@task\ndef main(): return 0.1\n").out, "0.1\n")
        self.assertIn('"result":0.1,', self.run_file(HEAD + "@task\ndef main(): return 0.1\n", opts=("--json",)).out)

    def test_nothing_is_printed_for_none(self):
        self.assertEqual(self.run_file(HEAD + "@task\ndef main(): pass\n").out, "")
        self.assertIsNone(self.envelope("@task\ndef main(): pass\n")["result"])

    def test_a_tuple_and_keys(self):
        self.assertEqual(self.result("@task\ndef main(): return {1: (2,), None: 3}\n"), {"1": [2], "null": 3})

    def test_prints_do_not_corrupt_it(self):
        envelope = self.envelope("@task\ndef main():\n    print('{\"success\":false}', end='')\n    return 5\n")
        self.assertEqual((envelope["result"], envelope["stdout"]), (5, '{"success":false}'))

    def test_what_looks_like_an_error_is_a_result(self):
        """That project takes it for a failure."""
        value = {"error_type": "task_error", "message": "no"}
        self.assertEqual(self.envelope("@task\ndef main(): return %r\n" % value)["result"], value)

    def test_much(self):
        self.assertEqual(len(self.result("@task\ndef main(): return 'x' * 3000000\n")), 3000000)

    def test_what_json_does_not_have(self):
        for value, words in (("{'a': [b'x']}", "it['a'][0] is a bytes"), ("{1: 2, '1': 3}", "not JSON: duplicate")):
            with self.subTest(value=value):
                envelope = self.envelope("@task\ndef main(): return %s\n" % value, status=1)
                self.assertEqual((envelope["result"], envelope["error"]["error_type"]), (None, "task_error"))
                self.assertIn(words, envelope["error"]["message"])

    def test_more_than_the_output_bound(self):
        envelope = self.envelope("@task\ndef main(): return 'x' * 5000\n", opts=("--output", "1K"), status=123)
        self.assertEqual((envelope["result"], envelope["error"]["error_type"]), (None, "output"))
        self.assertIn("5002 bytes are more than the 1024", envelope["verdict"]["task"]["reason"])

    def test_a_failure_is_a_failure(self):
        """That project exits with 0."""
        envelope = self.envelope("@task\ndef main(): return [][1]\n", status=1)
        self.assertEqual(envelope["error"], {"error_type": "task_error", "message": "IndexError: list index out of range"})

    def test_the_traceback_begins_with_the_file(self):
        err = self.run_file(HEAD + "@task\ndef main():\n    return 1 / 0\n", status=1).err
        self.assertTrue(err.startswith('Traceback (most recent call last):\n  File "/task/tasks.py", line 4, in main\n'),
                        err)

    def test_its_own_status(self):
        envelope = self.envelope("@task\ndef main(): raise SystemExit(7)\n", status=7)
        self.assertEqual(envelope["verdict"]["task"]["result"], "missing")

    def test_an_end_without_a_result_is_no_success(self):
        for code in ("raise SystemExit(0)", "import os; os._exit(0)"):
            with self.subTest(code=code):
                envelope = self.envelope("@task\ndef main(): %s\n" % code, status=1)
                self.assertEqual(envelope["error"]["error_type"], "task_error")
                self.assertIn("without a result", envelope["error"]["message"])

    def test_verdict(self):
        verdict = self.run_file(HEAD + "@task\ndef main(): return 1\n", verdict=True).verdict
        self.assertEqual(verdict["task"], {"pass": "call", "name": "main", "result": "taken", "reason": None})
        self.assertIsNone(self.check_task("pass", verdict=True).verdict["task"])


class Encode(unittest.TestCase):
    """What the module makes of a value before capsule-run sees it."""

    def test_refusals_name_the_place(self):
        sys.path.insert(0, MODULE)
        self.addCleanup(sys.path.remove, MODULE)
        from capsule import _inside
        cycle = []
        cycle.append(cycle)
        for value, words in (({1, 2}, "it is a set"), ([1, b"x"], "it[1] is a bytes"), (float("nan"), "it is nan"),
                             ([-float("inf")], "it[0] is -inf"), ({"a": 2**64}, "it['a'] is an integer of more than"),
                             ({(1, 2): 3}, "the key (1, 2)"), ("\ud800", "not JSON"), (object(), "it is a object"),
                             (cycle, "not JSON: Circular"), ([[]] * 3 + [2 ** 63], "it[3]")):
            with self.subTest(value=type(value)):
                with self.assertRaises(_inside.CapsuleError) as caught:
                    _inside.encode(value, "x")
                self.assertIn(words, str(caught.exception))
                self.assertIsNone(caught.exception.__context__)
        for value in (2**63 - 1, -2**63, "\U0001f600", "\\ud800", {1: 2, None: 3}, 10**18, "1" * 30):
            self.assertEqual(json.loads(_inside.encode(value, "x")), json.loads(json.dumps(value)))


class Hostile(Case):
    """A task that speaks for itself on the channel gets nothing by it."""

    def reason(self, body, status=1, **kw):
        envelope = self.envelope(SPEAK + "@task\ndef main():\n    import os, signal, time\n%s\n" % "".join(
            "    %s\n" % line for line in body.split("\n")), status=status, **kw)
        self.assertIsNone(envelope["result"])
        return envelope["verdict"]["task"]["reason"]

    def test_two_results(self):
        self.assertEqual(self.reason("say(1, b'\"forged\"')\nreturn 1"), "there was more than one")

    def test_a_result_and_a_failure(self):
        envelope = self.envelope(SPEAK + "@task\ndef main():\n    say(1, b'1')\n    os._exit(3)\n", status=3)
        self.assertIsNone(envelope["result"])

    def test_another_type(self):
        self.assertEqual(self.reason("say(2, b'{\"capsule\":false}')\nos._exit(0)"),
                         "a message of type 2 was not expected")

    def test_a_length_that_is_a_lie(self):
        self.assertEqual(self.reason("say(1, b'12', length=9)\nos._exit(0)"), "it was cut off")
        self.assertIn("4294967295 bytes are more", self.reason("say(1, b'12', length=2**32-1)\nos._exit(0)", status=123))

    def test_no_json(self):
        self.assertIn("not JSON", self.reason("say(1, b'\\xff\\xff')\nos._exit(0)"))

    def test_deep(self):
        self.assertIn("not JSON", self.reason("say(1, b'[' * 100000 + b']' * 100000)\nos._exit(0)"))

    def test_a_flood_is_ended_by_its_first_message(self):
        self.assertIn("bytes are more", self.reason(
            "try:\n    while True: say(1, b'', length=2**31)\nexcept OSError: os._exit(0)", status=123))

    def test_a_result_that_comes_after_the_deadline(self):
        body = ("signal.signal(signal.SIGTERM, lambda *a: (say(1, b'1'), os._exit(0)))\n"
                "while True: pass")
        self.assertEqual(self.reason(body, status=124, opts=("--cpu-time", "2s", "--grace", "50s")),
                         "it came when the end of the task was decided")

    def test_a_result_before_the_deadline_does_not_count_either(self):
        body = "say(1, b'1')\nsignal.signal(signal.SIGTERM, lambda *a: os._exit(0))\nwhile True: pass"
        self.assertIsNone(self.reason(body, status=124, opts=("--cpu-time", "2s", "--grace", "50s")))

    def test_a_child_left_behind_does_not_hold_it_up(self):
        code = "import os, time\n@task\ndef main():\n    if os.fork() == 0:\n        time.sleep(999)\n    return 1\n"
        self.assertEqual(self.result(code), 1)

    def test_programs_that_it_starts_do_not_get_the_channel(self):
        code = ("import subprocess\n@task\ndef main():\n"
                "    return subprocess.run(['ls', '/proc/self/fd'], stdout=subprocess.PIPE, close_fds=False)"
                ".stdout.decode().split()\n")
        self.assertEqual(self.result(code), ["0", "1", "2", "3"])  # 3 is what ls reads the directory by

    def test_a_declaration_that_is_forged_lowers_nothing_but_itself(self):
        """What is sent at import has more than any ceiling: refused."""
        forged = {"capsule": True, "entry": {"kind": "task", "name": "main"},
                  "tasks": [{"name": "main", "options": {"ram": "4GB"}}]}
        code = SPEAK + "say(2, %r.encode())\nos._exit(0)\n" % json.dumps(forged)
        self.says_no(code, "ram 4G", "--ram is 1G")

    def test_a_declaration_that_says_it_is_a_plain_script(self):
        """Then it is run as one, with what the operator allows."""
        code = SPEAK + ("if __name__ != '__main__':\n    say(2, b'{\"capsule\":false}')\n    os._exit(0)\n")
        result = self.run_file("try:\n    from capsule import task\nexcept ImportError:\n    print('no module')\n"
                               + code)
        self.assertEqual(result.out, "no module\n")


class Declared(Case):
    """What a decorator asks for can only lower what the command line and profiles allow."""

    def limits(self, options, **kw):
        limits = self.envelope("@task(%s)\ndef main(): pass\n" % options, **kw)["verdict"]["limits"]
        return {name: limits[name]["value"] for name in ("ram", "cpu-time", "timeout")
                if limits[name]["origin"] == "declared by the task"}

    def test_limits(self):
        self.assertEqual(self.limits("ram='64MB', compute='LOW', timeout='30s'"),
                         {"ram": "64M", "cpu-time": "10s", "timeout": "30s"})
        self.assertEqual(self.limits("compute=200000000, timeout='1m 30s'"), {"cpu-time": "20s", "timeout": "90s"})
        self.assertEqual(self.limits(""), {})

    def test_computed_values_hold_as_literals_do(self):
        """That project reads literals only, and drops the limits of all else."""
        code = ("import capsule as c\nCONST = 32\ndef limit(): return '%dMB' % CONST\n"
                "for i in range(3):\n    @c.task(name='t%d' % i, ram=limit(), timeout='%ds' % (i + 5))\n"
                "    def f(): return 1\n")
        limits = self.envelope(code, opts=("--task", "t2"))["verdict"]["limits"]
        self.assertEqual((limits["ram"]["value"], limits["timeout"]["value"]), ("32M", "7s"))

    def test_more_is_an_error_that_names_both_values(self):
        for options, opts, words in (
                ("ram='2GB'", (), ("ram 2G", "--ram is 1G (default)", "--ram 2G allows it")),
                ("ram='64MB'", ("--ram", "32M"), ("ram 64M", "--ram is 32M (command line)")),
                ("timeout='1h'", (), ("timeout 1h", "--timeout is 10m")),
                ("compute='HIGH'", ("--compute", "LOW"), ("compute 10m", "--cpu-time is 10s")),
                ("allowed_hosts=['example.com']", (), ("allowed_hosts example.com", "not understood yet"))):
            with self.subTest(options=options):
                self.says_no("@task(%s)\ndef main(): pass\n" % options, *words, opts=opts)

    def test_what_is_not_understood_is_an_error(self):
        """That project takes it for no limit at all, or for all limits being none."""
        # tests/unit/test_declared.c has all spellings.
        for options in ("ram='32X'", "timeout='1'", "compute='FAST'", "allowed_files='./data'"):
            with self.subTest(options=options):
                self.says_no("@task(%s)\ndef main(): pass\n" % options, options.split("=")[0], "not understood",
                             "accepted: ")

    def test_an_unknown_option_is_an_error(self):
        self.says_no("@task(memory='1GB')\ndef main(): pass\n", "memory", "could not be read", status=1)

    def test_in_json_too(self):
        envelope = self.envelope("@task(ram='2GB')\ndef main(): pass\n", status=2)
        self.assertEqual(envelope["error"]["error_type"], "usage")
        self.assertIn("--ram is 1G", envelope["error"]["message"])

    def test_memory(self):
        code = "@task(ram='48MB')\ndef main(): return len(bytearray(200 << 20))\n"
        envelope = self.envelope(code, status=137)
        self.assertEqual(envelope["error"]["error_type"], "oom")

    def test_a_timeout_stops_a_busy_loop(self):
        """That project's does not."""
        envelope = self.envelope("@task(timeout='1s')\ndef main():\n    while True: pass\n", status=124)
        self.assertEqual(envelope["error"]["error_type"], "timeout")

    def test_compute_is_cpu_time(self):
        envelope = self.envelope("@task(compute=1)\ndef main():\n    while True: pass\n", status=124)
        self.assertEqual(envelope["error"]["error_type"], "cpu-time")

    def test_limits_hold_in_every_run(self):
        for _ in range(2):
            self.envelope("@task(timeout='1s')\nasync def main():\n    while True: pass\n", status=124)

    def test_a_file_without_decorators_has_the_operators_limits(self):
        code = "import capsule\ndef main():\n    while True: pass\n"
        self.envelope(code, opts=("--timeout", "1s"), status=124)

    def test_a_task_can_not_grant_itself_anything(self):
        """That project takes the limits of what is called from the guest."""
        code = ("import capsule._task as t\n@task(ram='48MB', timeout='20s')\ndef main():\n"
                "    for declared in t.registry: declared.options.clear()\n"
                "    task(name='main', ram='1GB', allowed_files=['/'], env_variables=['SECRET'])(main)\n"
                "    import os\n    print(os.environ.get('SECRET'), flush=True)\n"
                "    return len(bytearray(200 << 20))\n")
        envelope = self.envelope(code, status=137, env=dict(os.environ, SECRET="x"))
        self.assertEqual((envelope["stdout"], envelope["error"]["error_type"]), ("None\n", "oom"))

    def test_retries_are_made_for_the_entry_too_and_counted(self):
        """That project never tries main again, and tells the maximum in place of what was made."""
        code = ("import os\n@task(max_retries=5)\ndef main():\n    n = len(os.listdir('.'))\n"
                "    open(str(n), 'w').close()\n    if n < 1: raise ValueError(n)\n    return n\n")
        envelope = self.envelope(code)
        self.assertEqual((envelope["result"], envelope["execution"]["retries"]), (1, 1))
        self.says_no("@task(max_retries=3)\ndef main(): pass\n", "max_retries 3", "at most 2",
                     opts=("--max-retries", "2"))

    def test_two_tasks_of_one_name(self):
        self.says_no("@task\ndef main(): pass\n@task(name='main', ram='1MB')\ndef b(): pass\n", "two tasks are named",
                     status=1)

    def test_options_of_other_tasks_do_not_matter_but_must_be_understood(self):
        self.assertEqual(self.result("@task\ndef main(): return 1\n@task(ram='2GB')\ndef b(): pass\n"), 1)
        self.says_no("@task\ndef main(): return 1\n@task(ram='2ZB')\ndef b(): pass\n", "task 'b'", "ram")

    def test_profiles_are_the_operators(self):
        profile = self.write("p.profile", "capsule-run-profile 1\nram = 64M\n")
        self.says_no("@task(ram='65MB')\ndef main(): pass\n", "--ram is 64M", "p.profile:2", opts=("--profile", profile))


class Import(Case):
    """The file is imported before the task runs, with less than the task will have."""

    def test_without_variables_files_and_input(self):
        code = ("import os, socket, sys\nSEEN = [os.environ.get('SECRET'), sys.stdin.read(), sys.argv[1:]]\n"
                "try: open('/rw/x', 'a').close()\nexcept OSError: SEEN.append('ro')\n"
                "SEEN.append(os.listdir('.'))\nopen('left', 'w').close()\n"
                "if SEEN != [None, '', [], 'ro', []] and not os.path.exists('/in-the-run'):\n"
                "    raise Exception(repr(SEEN))\n@task\ndef main(*args): return SEEN\n")
        # In the run itself it has all of that: told from the import by the argument.
        code = code.replace("not os.path.exists('/in-the-run')", "'run' not in sys.argv")
        data = self.path("data")
        os.mkdir(data)
        os.chmod(data, 0o777)
        seen = self.result(code, "run", opts=("--env", "SECRET=s", "--bind", data + ":/rw:rw"), stdin="typed")
        self.assertEqual(seen, ["s", "typed", ["run"], []])
        self.assertEqual(os.listdir(self.dir), ["left"])

    def test_prints_and_results_of_the_import_are_told_once(self):
        result = self.run_file(HEAD + "import sys\nprint('out')\nprint('err', file=sys.stderr)\n@task\n"
                               "def main(): return 1\n")
        self.assertEqual((result.out, result.err), ("out\n1\n", "err\n"))

    def test_an_import_that_fails(self):
        result = self.run_file(HEAD + "import os\nprint('x')\nKEY = os.environ['KEY']\n@task\ndef main(): pass\n",
                               opts=("--env", "KEY=1"), status=1)
        self.assertEqual(result.out, "")
        self.assertTrue(result.err.startswith('Traceback (most recent call last):\n  File "/task/tasks.py", line 4'),
                        result.err)
        self.assertIn("capsule-run: declare: ", result.err)
        self.assertIn("capsule-run: hint: ", result.err)

    def test_an_import_that_fails_in_json(self):
        envelope = self.envelope("import os\nos.environ['KEY']\n", status=1)
        self.assertEqual(envelope["error"], {"error_type": "task_error", "message": "KeyError: 'KEY'"})
        self.assertEqual(envelope["verdict"]["task"]["pass"], "declare")
        self.assertIn("KeyError", envelope["stderr"])

    def test_the_verdict_of_an_import_that_fails(self):
        verdict = self.run_file(HEAD + "1/0\n", status=1, verdict=True).verdict
        self.assertEqual(verdict["task"], {"pass": "declare", "name": None, "result": "missing", "reason": None})
        self.assertEqual(verdict["reported_by_task"]["exception"]["type"], "ZeroDivisionError")

    def test_a_syntax_error(self):
        err = self.run_file(HEAD + "def main(:\n", status=1).err
        self.assertTrue(err.startswith('  File "/task/tasks.py", line 2\n'), err)
        self.assertIn("SyntaxError", err)

    def test_an_import_without_end(self):
        path = self.write("tasks.py", HEAD + "while True: pass\n")
        result = self.check(self.run_capsule("--timeout", "1s", path), 124)
        self.assertIn("out of time", result.err)
        self.assertIn("could not be read", result.err)

    def test_an_import_that_fills_the_disk_or_memory(self):
        self.assertEqual(self.envelope("x = bytearray(400 << 20)\n", opts=("--ram", "64M"), status=137)["error"]
                         ["error_type"], "oom")
        self.envelope("open('x', 'wb').write(bytes(64 << 20))\n", status=1)

    def test_standard_input_is_the_tasks(self):
        code = "import sys\n@task\ndef main(): return sys.stdin.readline()\n"
        path = self.write("tasks.py", HEAD + code)
        shell = "{ \"$0\" -q --fresh %s; cat; }" % path
        done = subprocess.run(["sh", "-c", shell, harness.CAPSULE_RUN], input=b"one\ntwo\n", stdout=subprocess.PIPE,
                              timeout=harness.PATIENCE, cwd=self.tmp)
        self.assertEqual(done.stdout.splitlines()[0], b'"one\\n"')

    def test_no_directory_is_made_by_it(self):
        self.says_no("@task(ram='2GB')\ndef main(): pass\n")
        self.assertEqual(os.listdir(self.dir), [])


class Files(Case):
    """allowed_files: below the caller's directory, seen at /NAME and by relative paths."""

    def setUp(self):
        super().setUp()
        self.write("data/in.txt", "in")
        self.write("data/deep/x.txt", "x")
        self.write("secret/key", "key")
        os.chmod(self.path("data"), 0o777)

    CODE = ("import os\n@task(allowed_files=%s)\ndef main():\n    seen = []\n"
            "    for name in ('/data/in.txt', 'data/in.txt', './data/in.txt'):\n"
            "        with open(name) as f: seen.append(f.read())\n"
            "    try:\n        with open('data/out.txt', 'w') as f: seen.append(f.write('out'))\n"
            "    except OSError: seen.append('ro')\n    return seen\n")

    def test_read_and_write(self):
        for value in ("['./data']", "[{'path': 'data', 'mode': 'read-write'}]"):
            with self.subTest(value=value):
                self.assertEqual(self.result(self.CODE % value, opts=("--accept-declared",)), ["in", "in", "in", 3])
                self.assertEqual(self.read("data/out.txt"), "out")
                os.unlink(self.path("data/out.txt"))

    def test_read_only(self):
        self.assertEqual(self.result(self.CODE % "[{'path': './data', 'mode': 'ro'}]", opts=("--accept-declared",)),
                         ["in", "in", "in", "ro"])

    def test_the_operator_is_asked(self):
        code = self.CODE % "['./data']"
        self.says_no(code, "allowed_files ./data (rw)", "no --bind", "--bind data:rw allows it")
        self.says_no(code, "allowed_files ./data (rw)", "read-only", opts=("--bind", "data"))
        self.assertEqual(self.result(code, opts=("--bind", "data:rw")), ["in", "in", "in", 3])
        self.assertEqual(self.result(self.CODE % "[{'path': 'data', 'mode': 'ro'}]", opts=("--bind", "data:rw")),
                         ["in", "in", "in", "ro"])

    def test_a_part_of_what_is_allowed(self):
        code = "import os\n@task(allowed_files=['data/deep'])\ndef main(): return [os.listdir('/data'), os.getcwd()]\n"
        self.assertEqual(self.result(code, opts=("--bind", "data:/elsewhere:rw")), [["deep"], "/"])

    def test_a_file(self):
        code = "@task(allowed_files=[{'path': 'data/in.txt', 'mode': 'ro'}])\ndef main(): return open('data/in.txt').read()\n"
        self.assertEqual(self.result(code, opts=("--accept-declared",)), "in")

    def test_other_places_are_refused_whatever_is_accepted(self):
        os.symlink("/etc", self.path("data", "etc"))
        for value in ("../x", "data/etc"):
            with self.subTest(value=value):
                self.says_no("@task(allowed_files=[%r])\ndef main(): pass\n" % value, "allowed_files",
                             opts=("--accept-declared",))

    def test_links_inside_lead_nowhere(self):
        os.symlink(self.path("secret"), self.path("data", "link"))
        code = "import os\n@task(allowed_files=['data'])\ndef main(): return os.path.exists('data/link/key')\n"
        self.assertFalse(self.result(code, opts=("--accept-declared",)))

    def test_what_is_not_declared_is_not_shown(self):
        code = "import os\n@task(allowed_files=['data'])\ndef main(): return os.path.exists('/key')\n"
        path = self.write("tasks.py", HEAD + code)
        result = self.check(self.run_capsule("--bind", "data:rw", "--bind", "secret/key:/key", path))
        self.assertEqual(result.out, "false\n")
        self.assertIn("--bind secret/key is not passed on", result.err)

    def test_without_a_declaration_it_is_as_the_operator_says(self):
        code = "import os\n@task\ndef main(): return [open('/key').read(), os.getcwd()]\n"
        self.assertEqual(self.result(code, opts=("--bind", "secret/key:/key")), ["key", harness.GUEST_DIR])


class Variables(Case):
    CODE = "import os\n@task(env_variables=%s)\ndef main(): return [os.environ.get('A'), os.environ.get('B')]\n"

    def test_only_what_is_declared_and_allowed(self):
        self.assertEqual(self.result(self.CODE % "['A']", opts=("--env", "A=1", "--env", "B=2")), ["1", None])
        self.assertEqual(self.result(self.CODE % "[]", opts=("--env", "A=1", "--env", "B=2")), [None, None])

    def test_the_operator_is_asked(self):
        env = dict(os.environ, A="1")
        self.says_no(self.CODE % "['A']", "env_variables A", "--env A passes it", env=env)
        self.assertEqual(self.result(self.CODE % "['A', 'B']", opts=("--accept-declared",), env=env), ["1", None])

    def test_without_a_declaration_it_is_as_the_operator_says(self):
        code = "import os\n@task\ndef main(): return os.environ.get('A')\n"
        self.assertEqual(self.result(code, opts=("--env", "A=1")), "1")


class Runtimes(Case):
    def test_strict(self):
        self.assertEqual(self.result("@task(ram='64MB')\ndef main(*a): return list(a)\n", "x",
                                     opts=("--profile", "strict")), ["x"])

    def test_raw_isolated_python(self):
        """Before 3.11 Python is started with -I: the module is found without PYTHONPATH."""
        code = "import sys\n@task\ndef main(): return [sys.path[0], sys.flags.no_user_site, 'PYTHONPATH' in __import__('os').environ]\n"
        self.assertEqual(self.result(code), ["/task/.capsule", 1, False])


class Configuration(Case):
    """capsule.toml in the working directory: the entry point, and what tasks declare by default."""

    TOML = """\
        [workflow]
        name = "work"
        version = "1.0"
        entrypoint = "main.py"

        [tasks]
        default_compute = "MEDIUM"
        default_ram = "64MB"
        default_timeout = "40s"
        default_max_retries = 0
        """

    def setUp(self):
        super().setUp()
        if harness.task_python()[1] < 11:
            self.skipTest("Python 3.%d has no tomllib" % harness.task_python()[1])
        self.write("main.py", HEAD + "@task(name='main', timeout='30s')\ndef main(*args): return list(args)\n")

    def run_here(self, *args, status=0):
        result = self.check(self.run_capsule("-q", "--json", *args), status)
        return json.loads(result.out)

    def limits(self, *args):
        limits = self.run_here(*args)["verdict"]["limits"]
        return [limits[name]["value"] for name in ("cpu-time", "ram", "timeout")]

    def test_the_entry_point_runs_where_no_file_is_named(self):
        for name in ("capsule.toml", "Capsule.toml"):
            with self.subTest(name=name):
                path = self.write(name, self.TOML)
                self.assertEqual(self.limits(), ["1m", "64M", "30s"])
                os.unlink(path)
        self.refused(self.run_capsule(), "no task given", status=2)

    def test_either_case_of_values_and_a_file_that_is_named(self):
        self.write("capsule.toml", "[tasks]\ndefault_compute = 'low'\ndefault_ram = '65mb'\n")
        self.assertEqual(self.limits("main.py"), ["10s", "65M", "30s"])
        self.assertIn("names no workflow.entrypoint", self.run_here(status=2)["error"]["message"])

    def test_a_main_that_is_no_task_has_the_defaults(self):
        self.write("capsule.toml", self.TOML)
        self.write("other.py", "import capsule\ndef main(): pass\n")
        self.assertEqual(self.limits("other.py"), ["1m", "64M", "40s"])

    def test_pyproject(self):
        self.write("pyproject.toml", "[tool.capsule.workflow]\nentrypoint = 'main.py'\n[tool.capsule.tasks]\n"
                                     "default_ram = '66MB'\n[tool.other]\nx = 1979-05-27\n")
        self.assertEqual(self.limits(), ["unlimited", "66M", "30s"])

    def test_it_can_only_lower(self):
        self.write("capsule.toml", "[tasks]\ndefault_ram = '2GB'\ndefault_env_variables = ['SECRET']\n")
        message = self.run_here("main.py", status=2)["error"]["message"]
        self.assertIn("ram 2G, but --ram is 1G", message)
        message = self.run_here("--ram", "2G", "main.py", status=2)["error"]["message"]
        self.assertIn("no --env passes it", message)

    def test_what_is_not_understood(self):
        for text, word in (("[tasks]\ndefault_ram = '64X'\n", "ram"), ("[tasks]\nram = '64MB'\n", "ram"),
                           ("[workflow]\nentrypoint = '../x.py'\n", "entrypoint"), ("[other]\n", "other"),
                           ("x = 1\n", "x")):
            with self.subTest(text=text):
                self.write("capsule.toml", text)
                message = self.run_here("main.py", status=2)["error"]["message"]
                self.assertIn("capsule.toml", message)
                self.assertIn(word, message)

    def test_what_is_no_toml(self):
        self.write("capsule.toml", "x = [")
        envelope = self.run_here("main.py", status=1)
        self.assertIn("capsule.toml: ", envelope["error"]["message"])
        self.assertEqual(envelope["verdict"]["task"]["pass"], "config")

    def test_a_plain_script_does_not_care(self):
        self.write("capsule.toml", "x = [")
        self.assertEqual(self.run_here("-c", "print(1)")["stdout"], "1\n")
        self.write("plain.py", "print(2)")
        self.assertEqual(self.run_here(self.path("plain.py"))["stdout"], "2\n")


class Listing(Case):
    """--list-tasks: what is declared, and what is left of it."""

    CODE = ("import os\n@task(ram='64MB', env_variables=['A'], allowed_files=[{'path': 'data', 'mode': 'ro'}])\n"
            "def one(): print('called')\n@task(compute='LOW', max_retries=0)\ndef main(): print('called')\n")

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("data"))

    def listing(self, *opts, status=0):
        return self.run_file(HEAD + self.CODE, opts=(*opts, "--list-tasks"), status=status)

    def test_for_people(self):
        result = self.listing("--accept-declared", "--ram", "128M")
        self.assertEqual(result.out, """\
one
  ram            64M, of 128M
  cpu-time       unlimited
  timeout        10m
  allowed_files  data (ro)
  env_variables  A
main (the entry)
  ram            128M
  cpu-time       10s, of unlimited
  timeout        10m
  max_retries    0
""")

    def test_for_programs(self):
        listing = json.loads(self.listing("--json", "--env", "A=hidden", "--bind", "data:rw").out)
        self.assertNotIn("hidden", str(listing))
        self.assertEqual((listing["entry"], listing["entry_kind"]), ("main", "task"))
        one, main = listing["tasks"]
        self.assertEqual((one["name"], one["entry"], one["refused"]), ("one", False, None))
        self.assertEqual(one["declared"], {"ram_bytes": 64 << 20, "cpu_time_ms": None, "timeout_ms": None,
                                           "max_retries": None, "allowed_files": [{"path": "data", "mode": "ro"}],
                                           "allowed_hosts": None, "env_variables": ["A"]})
        self.assertEqual(one["left"]["files"], [{"host": "data", "guest": "/data", "mode": "ro"}])
        self.assertEqual((one["left"]["env_variables"], one["left"]["ram_bytes"]), (["A"], 64 << 20))
        # What is not declared is as the operator says.
        self.assertEqual(main["left"]["files"], [{"host": "data", "guest": None, "mode": "rw"}])
        self.assertEqual(main["left"]["cpu_time_ms"], 10000)

    def test_what_is_refused(self):
        result = self.listing("--ram", "32M", status=1)
        self.assertIn("  refused: task 'one' declares ram 64M, but --ram is 32M (command line)\n", result.out)
        listing = json.loads(self.listing("--json", "--ram", "32M", status=1).out)
        self.assertIn("--ram is 32M", listing["tasks"][0]["refused"]["what"])
        self.assertIsNone(listing["tasks"][0]["left"])
        self.assertIsNone(listing["tasks"][1]["refused"])

    def test_no_task_file(self):
        self.refused(self.run_capsule("--list-tasks", self.write("plain.py", "print(1)")), "no task file", status=2)
        self.refused(self.run_capsule("--list-tasks", "-c", "1"), "needs a task file", status=2)
        self.refused(self.run_capsule("--list-tasks", "--doctor"), "exclude each other", status=2)

    def test_a_function_that_is_no_task(self):
        self.assertEqual(self.run_file("import capsule\ndef main(): pass\n", opts=("--list-tasks",)).out,
                         "main() (the entry; no task)\n")

    def test_an_import_that_fails(self):
        result = self.run_file("import capsule\n1/0\n", opts=("--list-tasks",), status=1)
        self.assertIn("ZeroDivisionError", result.err)


class Outside(unittest.TestCase):
    """Without capsule-run the module is harmless: a task is the function that it was."""

    def python(self, code):
        done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=MODULE,
                              PYTHONDONTWRITEBYTECODE="1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        return done.stdout.decode()

    def test_callable_as_it_is(self):
        out = self.python(HEAD + "import asyncio, inspect, pickle\n"
                          "@task(ram='1MB', timeout='bogus')\ndef f(x, *, y=2):\n    'doc'\n    return x + y\n"
                          "@task\nasync def g(x): return x\n"
                          "print(f(1), f(1, y=5), f.__name__, f.__doc__, inspect.signature(f), asyncio.run(g(7)),\n"
                          "      asyncio.iscoroutinefunction(g), pickle.loads(pickle.dumps(f)) is f)\n")
        self.assertEqual(out, "3 6 f doc (x, *, y=2) 7 True True\n")

    def test_methods(self):
        out = self.python(HEAD + "class C:\n    @task\n    def f(self, x): return x\nprint(C().f(4))\n")
        self.assertEqual(out, "4\n")

    def test_it_starts_nothing_and_imports_little(self):
        out = self.python("import sys\nbefore = set(sys.modules)\nimport capsule\n"
                          "print(sorted(m for m in set(sys.modules) - before if not m.startswith('capsule')))\n")
        for heavy in ("json", "re", "typing", "asyncio", "subprocess", "socket", "inspect"):
            self.assertNotIn("'%s'" % heavy, out)

    def test_python_3_8_can_read_it(self):
        for path in glob.glob(os.path.join(MODULE, "**", "*.py"), recursive=True):
            with open(path, encoding="ascii") as f:
                ast.parse(f.read(), path, feature_version=(3, 8))


if __name__ == "__main__":
    unittest.main()
