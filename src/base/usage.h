/* What a directory holds: blocks and files, as du(1) counts. */
#ifndef CAPSULE_BASE_USAGE_H
#define CAPSULE_BASE_USAGE_H

#include <stdint.h>

#include "base/attr.h"

struct usage {
	uint64_t bytes;
	uint64_t inodes;
};

/*
 * Adds up what lies below dir_fd on its own file system, the directory itself left out. Trees of any
 * depth take a constant number of descriptors and no path: neither fts(3) nor nftw(3) can promise
 * that, and a task may have built the tree. A directory that its owner may not read is opened up for
 * the moment and closed again. Hard links count once each: too much rather than too little. 0 or
 * -errno; -ESTALE when the tree was moved meanwhile.
 */
ATTR_CHECKED int usage_walk(int dir_fd, struct usage *ret);

#endif
