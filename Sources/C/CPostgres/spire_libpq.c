// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <stddef.h>

#include "spire_libpq.h"

#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #theirs)
SAME(SPIRE_PQ_CONNECTION_OK, CONNECTION_OK);
SAME(SPIRE_PQ_COMMAND_OK, PGRES_COMMAND_OK);
SAME(SPIRE_PQ_TUPLES_OK, PGRES_TUPLES_OK);
SAME(SPIRE_PQ_FATAL_ERROR, PGRES_FATAL_ERROR);
SAME(SPIRE_PQ_PIPELINE_SYNC, PGRES_PIPELINE_SYNC);
SAME(SPIRE_PQ_PIPELINE_ABORTED, PGRES_PIPELINE_ABORTED);
SAME(SPIRE_PQ_TRANS_INERROR, PQTRANS_INERROR);
SAME(SPIRE_PQ_DIAG_SQLSTATE, PG_DIAG_SQLSTATE);
SAME(SPIRE_PQ_DIAG_MESSAGE, PG_DIAG_MESSAGE_PRIMARY);
SAME(sizeof(spire_pg_notify), sizeof(PGnotify));
SAME(offsetof(spire_pg_notify, extra), offsetof(PGnotify, extra));
#endif

const char *spire_libpq_load(struct spire_libpq *functions) {
#ifdef __APPLE__
    void *library = dlopen("libpq.5.dylib", RTLD_NOW | RTLD_LOCAL);
#else
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
#endif
    if (library == NULL) return dlerror();
#define LOAD(type, name, parameters) \
    functions->name = (type(*) parameters)dlsym(library, #name); \
    if (functions->name == NULL) return "libpq is older than version 14: it has no function " #name;
    SPIRE_LIBPQ_FUNCTIONS(LOAD)
#undef LOAD
    return NULL;
}
