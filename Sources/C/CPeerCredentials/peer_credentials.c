// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "peer_credentials.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int spire_pidfd_open(int32_t pid) {
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int spire_pidfd_probe(int pidfd) {
    if (syscall(SYS_pidfd_send_signal, pidfd, 0, (void *)0, 0) == 0) return 0;
    // A process of another user is not ours to signal, but it is there.
    return errno == EPERM ? 0 : -errno;
}

int64_t spire_boot_centiseconds(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) return -errno;
    return (int64_t)now.tv_sec * 100 + now.tv_nsec / 10000000;
}
#else
int spire_pidfd_open(int32_t pid) { (void)pid; return -ENOSYS; }
int spire_pidfd_probe(int pidfd) { (void)pidfd; return -ENOSYS; }
int64_t spire_boot_centiseconds(void) { return -ENOSYS; }
#endif
