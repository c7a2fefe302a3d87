// SPDX-License-Identifier: Apache-2.0
#ifndef SPIRE_LIBPQ_H
#define SPIRE_LIBPQ_H

#include <stdint.h>

// The part of libpq's interface (version 14 or newer) that the PostgreSQL driver uses. The library is loaded when a
// configuration asks for it, so that programs start, and are small, without it.
// Source: PostgreSQL documentation, chapter "libpq". The .c file compares this with libpq-fe.h where that is installed.

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;

typedef struct spire_pg_notify {
    char *relname;
    int be_pid;
    char *extra;
    struct spire_pg_notify *next;
} spire_pg_notify;

enum {
    SPIRE_PQ_CONNECTION_OK = 0,

    SPIRE_PQ_COMMAND_OK = 1,
    SPIRE_PQ_TUPLES_OK = 2,
    SPIRE_PQ_FATAL_ERROR = 7,
    SPIRE_PQ_PIPELINE_SYNC = 10,
    SPIRE_PQ_PIPELINE_ABORTED = 11,

    SPIRE_PQ_TRANS_INERROR = 3,

    SPIRE_PQ_DIAG_SQLSTATE = 'C',
    SPIRE_PQ_DIAG_MESSAGE = 'M',
};

// Return type, name, parameters. Enumerations of the library are ints here.
#define SPIRE_LIBPQ_FUNCTIONS(X) \
    X(int, PQlibVersion, (void)) \
    X(PGconn *, PQconnectdbParams, (const char *const *, const char *const *, int)) \
    X(int, PQstatus, (const PGconn *)) \
    X(int, PQtransactionStatus, (const PGconn *)) \
    X(char *, PQerrorMessage, (const PGconn *)) \
    X(const char *, PQparameterStatus, (const PGconn *, const char *)) \
    X(int, PQsocket, (const PGconn *)) \
    X(void, PQfinish, (PGconn *)) \
    X(int, PQenterPipelineMode, (PGconn *)) \
    X(int, PQpipelineSync, (PGconn *)) \
    X(int, PQsendQueryParams, (PGconn *, const char *, int, const unsigned int *, const char *const *, \
                               const int *, const int *, int)) \
    X(int, PQsendPrepare, (PGconn *, const char *, const char *, int, const unsigned int *)) \
    X(int, PQsendQueryPrepared, (PGconn *, const char *, int, const char *const *, const int *, const int *, int)) \
    X(PGresult *, PQgetResult, (PGconn *)) \
    X(PGresult *, PQexec, (PGconn *, const char *)) \
    X(int, PQresultStatus, (const PGresult *)) \
    X(char *, PQresultErrorMessage, (const PGresult *)) \
    X(char *, PQresultErrorField, (const PGresult *, int)) \
    X(int, PQntuples, (const PGresult *)) \
    X(int, PQnfields, (const PGresult *)) \
    X(char *, PQgetvalue, (const PGresult *, int, int)) \
    X(int, PQgetlength, (const PGresult *, int, int)) \
    X(int, PQgetisnull, (const PGresult *, int, int)) \
    X(char *, PQcmdTuples, (PGresult *)) \
    X(void, PQclear, (PGresult *)) \
    X(int, PQconsumeInput, (PGconn *)) \
    X(spire_pg_notify *, PQnotifies, (PGconn *)) \
    X(void, PQfreemem, (void *))

struct spire_libpq {
#define SPIRE_FIELD(type, name, parameters) type(*name) parameters;
    SPIRE_LIBPQ_FUNCTIONS(SPIRE_FIELD)
#undef SPIRE_FIELD
};

// Loads the library into `functions`. Returns NULL, or what went wrong; the text is valid until the next call of the
// same thread.
const char *spire_libpq_load(struct spire_libpq *functions);

#endif
