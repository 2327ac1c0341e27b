"""The examples do what they say, from a Makefile, from a program and by themselves."""
import json
import os
import subprocess

import harness

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "examples")


def example(*names):
    return os.path.join(EXAMPLES, *names)


class Examples(harness.Case):
    def run_program(self, *argv, status=0, **env):
        """Runs an example as a user would who has capsule-run in PATH."""
        path = os.path.dirname(harness.CAPSULE_RUN) + ":" + os.environ["PATH"]
        done = subprocess.run(argv, cwd=self.tmp, env=dict(os.environ, PATH=path, **env), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=4 * harness.PATIENCE)
        self.assertEqual(done.returncode, status, "%s\n%s\n%s" % (argv, done.stdout, done.stderr))
        return done

    def test_a_task_reads_one_file_and_leaves_its_answer(self):
        result = self.check(self.run_capsule("-q", "--ram", "512M", "--bind", example("sales.csv") + ":/data/sales.csv",
                                             example("sales.py"), "/data/sales.csv"))
        self.assertEqual(result.out, "274 orders, revenue 31927.85, 2 unusual\n")
        answer = json.loads(self.read("sandbox/sales.json"))
        self.assertEqual((answer["orders"], sorted(answer["revenue_by_region"])),
                         (274, ["east", "north", "south", "west"]))

    def test_a_task_that_looks_around_is_refused(self):
        out = self.check(self.run_capsule("-q", example("nosy.py"))).out
        for what, answer in (("accounts in /etc/passwd:", "3"), ("entries of /home:", "No such file or directory"),
                             ("network interfaces:", "lo"), ("connect to 192.0.2.1:", "Network is unreachable"),
                             ("write to /usr:", "Read-only file system"), ("start a subprocess:", "a shell ran")):
            self.assertRegex(out, r"(?m)^%s +%s$" % (what, answer))

    def test_tasks_are_functions(self):
        result = self.check(self.run_capsule("-q", example("tasks.py")))
        self.assertEqual(result.out, '{"words":10,"longest":"function"}\n')
        result = self.check(self.run_capsule("-q", "--task", "primes", example("tasks.py"), "30"))
        self.assertEqual(json.loads(result.out), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29])

    def test_a_script_brings_its_own_limits(self):
        self.assertEqual(self.run_program(example("primes"), "30").stdout, "2 3 5 7 11 13 17 19 23 29\n")
        # 64 MB are in its first line.
        self.run_program(example("primes"), "1000000000", status=137)

    def test_untrusted_steps_of_a_makefile_run_beside_each_other(self):
        harness.need("make")
        make = ["make", "-j4", "-f", example("make", "Makefile"), "CAPSULE_RUN=" + harness.CAPSULE_RUN]
        self.run_program(*make)
        orders = {}
        for region in ("north", "east", "south", "west"):
            answer = json.loads(self.read("out/%s.json" % region))
            self.assertEqual(list(answer["revenue_by_region"]), [region])
            self.assertEqual(json.loads(self.read("out/%s.json.verdict" % region))["outcome"], "exited")
            orders[region] = answer["orders"]
        self.assertEqual(sum(orders.values()), 274)
        self.assertIn("Nothing to be done", self.run_program(*make).stdout)
        self.assertFalse([name for name in os.listdir(self.path("out")) if name.endswith(".dir")])

    def test_a_failed_step_of_a_makefile_leaves_no_target(self):
        harness.need("make")
        broken = self.write("broken", "#!/bin/sh\nexit 124\n", 0o755)
        done = self.run_program("make", "-f", example("make", "Makefile"), "CAPSULE_RUN=" + broken, "out/west.json",
                                status=2)
        self.assertIn("Error 124", done.stderr)
        self.assertFalse(os.path.exists(self.path("out/west.json")))

    def test_an_agent_learns_from_verdicts(self):
        out = self.run_program("python3", example("agent.py"), CAPSULE_RUN=harness.CAPSULE_RUN).stdout
        self.assertEqual(out.splitlines(), ["attempt 1: timeout", "attempt 2: oom", "attempt 3: exited with 1",
                                            "attempt 4: exited with 0", "answer: 165580141"])

    def test_an_agent_stops_where_no_sandbox_can_be_had(self):
        broken = self.write("broken", "#!/bin/sh\necho refused >&2\n"
                                      "echo '{\"outcome\": \"failed\", \"exit_code\": null}' >\"$4\"\nexit 125\n", 0o755)
        done = self.run_program("python3", example("agent.py"), CAPSULE_RUN=broken, status=1)
        self.assertEqual(done.stderr, "the sandbox did not start: refused\n\n")
