"""In a Slurm job: its limits hold, capsule-run's hold below them, the examples do what they say, and nothing is left."""
import json
import os
import pwd
import shlex
import subprocess
import unittest

import cells
import harness
from guestcase import HOG, WHO, Case, need_guest, only, run

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "examples")


def setUpModule():
    need_guest()
    if WHO == "system":
        cells.start_slurm()


def groups(job=""):
    """Groups of jobs, or of one."""
    return [os.path.join(root, name) for root, dirs, _ in os.walk("/sys/fs/cgroup/system.slice") for name in dirs
            if name.startswith("job_" + job)]


class Job(Case):
    """The test is a step of the job, as srun starts it."""

    @only("slurm")
    def test_is_what_holds_the_task(self):
        with open("/proc/self/cgroup") as f:
            own = f.read().strip()
        self.assertIn("/job_" + os.environ["SLURM_JOB_ID"], own)
        process = self.start("-q", "--exec", "--", "sleep", "1000.125")
        harness.wait_until(lambda: len(harness.marked_processes("1000.125")) > 1, "the task")
        for pid in harness.marked_processes("1000.125"):
            with open("/proc/%d/cgroup" % pid) as f:
                self.assertEqual(f.read().strip(), own)
        process.terminate()
        process.wait(timeout=harness.PATIENCE)

    @only("slurm")
    def test_limits_of_the_task_are_below(self):
        result = self.check(self.run_capsule("--ram", "64M", "-c", HOG, verdict=True), 137)
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("oom", ["ram"]))

    @only("slurm")
    def test_jobs_limit_holds(self):
        """What asks for more than the job has is ended by the job's limit, and is no success."""
        result = self.run_capsule("--ram", "8G", "-c", HOG, verdict=True)
        self.assertNotEqual(result.status, 0, result)
        self.assertLess(result.verdict["usage"]["memory_peak_bytes"], 1300 << 20)

    @only("slurm")
    def test_no_cgroup_says_why(self):
        self.refused(self.run_capsule("--require", "cgroup", "-c", "pass"), "cgroup", "hint: ", "the job's own limits")


class Submitted(Case):
    """Jobs of an ordinary user's, in a directory of his."""

    def setUp(self):
        super().setUp()
        self.home = pwd.getpwnam(cells.USER)
        os.chown(self.tmp, self.home.pw_uid, self.home.pw_gid)

    def submit(self, *argv, status=0):
        path = os.path.dirname(harness.CAPSULE_RUN)
        line = "cd %s && PATH=%s:$PATH %s" % (shlex.quote(self.tmp), path, shlex.join(argv))
        done = run("su", "-l", cells.USER, "-c", line)
        self.assertEqual(done.returncode, status, done.stdout + run("sh", "-c", "cat %s/*.out" % self.tmp).stdout)
        return done.stdout

    def gone(self):
        harness.wait_until(lambda: not groups(), "the end of every job's group")

    def write_list(self):
        sales = "--bind %s/sales.csv:/data/sales.csv %s/sales.py /data/sales.csv" % (EXAMPLES, EXAMPLES)
        return self.write("tasks.txt", "%s\n-c raise(SystemExit(3))\n--ram 64M %s/primes 1000000000\n%s/primes 30\n" % (
            sales, EXAMPLES, EXAMPLES))

    def verdicts(self):
        return [json.loads(self.read("out/%d/verdict.json" % number)) for number in range(1, 5)]

    def judge(self):
        verdicts = self.verdicts()
        self.assertEqual([(verdict["outcome"], verdict["exit_code"]) for verdict in verdicts],
                         [("exited", 0), ("exited", 3), ("oom", None), ("exited", 0)])
        self.assertEqual(json.loads(self.read("out/1/work/sales.json"))["orders"], 274)

    @only("system")
    def test_a_job_array(self):
        self.write_list()
        # The status is the highest of the array's.
        self.submit("sbatch", "--wait", "--array=1-4%2", "--output=%a.out", os.path.join(EXAMPLES, "slurm", "array.sbatch"),
                    "tasks.txt", status=137)
        self.judge()
        self.assertEqual(self.read("4.out"), "2 3 5 7 11 13 17 19 23 29\n")
        self.gone()

    @only("system")
    def test_one_job_with_workers(self):
        self.write_list()
        argv = ["sbatch", "--wait", "--output=job.out", os.path.join(EXAMPLES, "slurm", "tasks.sbatch"), "tasks.txt"]
        self.submit(*argv, status=1)
        self.judge()
        self.assertEqual(self.read("out/4/output"), "2 3 5 7 11 13 17 19 23 29\n")
        # Again: only what is not done.
        first = self.verdicts()
        os.unlink(self.path("out/4/verdict.json"))
        self.submit(*argv, status=0)
        self.assertEqual(self.verdicts()[:3], first[:3])
        self.assertEqual(self.verdicts()[3]["outcome"], "exited")
        self.gone()

    @only("system")
    def test_cancelled(self):
        self.write("tasks.txt", "--exec -- sleep 1000.25\n" * 2)
        self.submit("sbatch", "--output=job.out", os.path.join(EXAMPLES, "slurm", "tasks.sbatch"), "tasks.txt")
        harness.wait_until(lambda: len(harness.marked_processes("1000.25")) >= 4, "both tasks")
        self.submit("scancel", "--user=" + cells.USER)
        harness.wait_until(lambda: not harness.marked_processes("1000.25"), "the end of both tasks")
        self.gone()


if __name__ == "__main__":
    unittest.main()
