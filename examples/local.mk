# Examples for a user to read and to start from; tests/functional/test_examples.py runs them.
EXTRA_DIST += \
	examples/agent.py \
	examples/ci/github-actions.yml \
	examples/ci/gitlab-ci.yml \
	examples/container/Dockerfile \
	examples/container/job.yaml \
	examples/make/Makefile \
	examples/nosy.py \
	examples/primes \
	examples/sales.csv \
	examples/sales.py \
	examples/systemd/capsule-task@.service
