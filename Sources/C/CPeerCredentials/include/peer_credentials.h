// SPDX-License-Identifier: Apache-2.0
#ifndef SPIRE_PEER_CREDENTIALS_H
#define SPIRE_PEER_CREDENTIALS_H

#include <stdint.h>

// System calls on process descriptors, which the C libraries we build against do not all wrap.
// Each returns a negative errno on failure.

// Opens a process descriptor for `pid`, close-on-exec.
int spire_pidfd_open(int32_t pid);

// Returns 0 while the process of `pidfd` exists, a zombie included; -ESRCH once it does not.
int spire_pidfd_probe(int pidfd);

// Seconds since boot, suspended time included, in hundredths.
int64_t spire_boot_centiseconds(void);

#endif
