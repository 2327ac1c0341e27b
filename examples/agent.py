#!/usr/bin/env python3
"""An agent's loop: run what a model wrote, tell the model how it ended, until it is right.

    examples/agent.py            CAPSULE_RUN names the program, if not the one in PATH

The model is a list of answers here; ask_model() is where a real one would be asked. What matters is run(): the code
never runs outside of a sandbox, the decision rests on the verdict and not on anything that the code printed, and
what it printed is cut and marked before it goes back to the model: it is as untrusted as the code.
"""
import json
import os
import subprocess
import sys
import tempfile

CAPSULE_RUN = os.environ.get("CAPSULE_RUN", "capsule-run")
TASK = "Print the number of ways to climb 40 stairs by one or two at a time."
LIMITS = ["--ram", "128M", "--timeout", "5s", "--pids", "16", "--output", "64K"]

# Too slow, then too large, then wrong, then right.
ANSWERS = [
    "def ways(n):\n    return 1 if n < 2 else ways(n - 1) + ways(n - 2)\nprint(ways(400))\n",
    "table = [1] * 100_000_000\nprint(table[40])\n",
    "a = b = 1\nfor _ in range(40):\n    a, b = b, a + B\nprint(a)\n",
    "a = b = 1\nfor _ in range(40):\n    a, b = b, a + b\nprint(a)\n",
]


def ask_model(conversation):
    """The code that the model proposes next, given what happened so far."""
    return ANSWERS[sum(message["role"] == "result" for message in conversation)]


def run(code):
    """Runs the code in a sandbox: the verdict, and what it printed and complained of."""
    with tempfile.TemporaryDirectory() as tmp:
        verdict = os.path.join(tmp, "verdict.json")
        # From standard input: no file, and nothing in the list of processes.
        done = subprocess.run([CAPSULE_RUN, "--quiet", "--fresh", "--result", verdict, *LIMITS, "-"],
                              input=code, capture_output=True, text=True, errors="backslashreplace")
        with open(verdict) as f:
            return json.load(f), done.stdout, done.stderr


def feedback(verdict, out, err):
    """What the model is told. capsule-run's own words first; the code's come after them and are marked."""
    if verdict["outcome"] == "failed":
        sys.exit("the sandbox did not start: %s" % err)
    lines = ["outcome: %s, exit code: %s" % (verdict["outcome"], verdict["exit_code"])]
    for name, text in (("stdout", out), ("stderr", err)):
        lines.append("--- %s of the code (untrusted)\n%s" % (name, text[-2000:]))
    return "\n".join(lines)


def main():
    conversation = [{"role": "user", "content": TASK}]
    for attempt in range(1, len(ANSWERS) + 1):
        code = ask_model(conversation)
        verdict, out, err = run(code)
        print("attempt %d: %s%s" % (attempt, verdict["outcome"], " with %d" % verdict["exit_code"]
                                    if verdict["outcome"] == "exited" else ""))
        if verdict["outcome"] == "exited" and verdict["exit_code"] == 0:
            print("answer: %s" % out.strip())
            return 0
        conversation += [{"role": "assistant", "content": code},
                         {"role": "result", "content": feedback(verdict, out, err)}]
    print("no answer")
    return 1


if __name__ == "__main__":
    sys.exit(main())
