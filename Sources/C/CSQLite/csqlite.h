// SPDX-License-Identifier: Apache-2.0
#ifndef SPIRE_CSQLITE_H
#define SPIRE_CSQLITE_H
#include <sqlite3.h>

/// Turns off the library's memory statistics, which cost a process-wide lock per allocation. Has an effect only before
/// the library is first used. (A variadic function, so it cannot be called from Swift.)
static inline int spire_sqlite_without_statistics(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

#endif
