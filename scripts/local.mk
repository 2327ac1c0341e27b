# Building, testing and packaging from a checkout or a tarball; examples, which tests/functional/test_examples.py runs.
EXTRA_DIST += \
	debian/capsule-run.docs \
	debian/capsule-run.examples \
	debian/capsule-run.lintian-overrides \
	debian/capsule-run.postinst \
	debian/capsule-run.postrm \
	debian/capsule-run.prerm \
	debian/capsule-run.triggers \
	debian/changelog \
	debian/control \
	debian/copyright \
	debian/rules \
	debian/source/format \
	debian/source/lintian-overrides \
	debian/tests/common.sh \
	debian/tests/control \
	debian/tests/run-task \
	debian/tests/suites \
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
	examples/slurm/array.sbatch \
	examples/slurm/tasks.sbatch \
	examples/systemd/capsule-task@.service \
	scripts/build \
	scripts/check \
	scripts/check-package \
	scripts/common.sh \
	scripts/deb \
	scripts/demo \
	scripts/install-deps \
	scripts/roots.sh \
	scripts/static \
	tests/checks/versions

# The Debian package, and the archive for other distributions; both are built from a clean copy of the tree.
.PHONY: deb static-tarball
deb:
	$(SHELL) $(srcdir)/scripts/deb $(abs_builddir)/deb
static-tarball:
	$(SHELL) $(srcdir)/scripts/static $(abs_builddir)/static
