"""Tasks as functions: each one says what it needs, and capsule-run sees to it that it gets no more.

    capsule-run examples/tasks.py                        # {"words":10,"longest":"function",...
    capsule-run --task primes examples/tasks.py 30
    capsule-run --json --task primes examples/tasks.py 30
"""
from capsule import task

MEGABYTES = 64  # values may be computed


@task(name="main", compute="LOW", ram="%dMB" % MEGABYTES, timeout="30s")
def main(text="the result of a task is what its function returns"):
    words = text.split()
    return {"words": len(words), "longest": max(words, key=len)}


@task(compute="LOW", ram="64MB", timeout="30s")
async def primes(limit="100"):
    found = []
    for n in range(2, int(limit)):
        if all(n % p for p in found):
            found.append(n)
    return found
