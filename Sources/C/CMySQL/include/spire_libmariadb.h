// SPDX-License-Identifier: Apache-2.0
#ifndef SPIRE_LIBMARIADB_H
#define SPIRE_LIBMARIADB_H

#include <stdint.h>

// The part of MariaDB Connector/C's interface (libmariadb.so.3) that the MySQL driver uses. The library is loaded when a
// configuration asks for it, so that programs start, and are small, without it.
// Source: MariaDB Connector/C documentation. The .c file compares this with mysql.h where that is installed.

typedef struct st_mysql MYSQL;
typedef struct st_mysql_stmt MYSQL_STMT;
typedef struct st_mysql_res MYSQL_RES;
typedef char **MYSQL_ROW;

enum {
    SPIRE_MYSQL_TYPE_TINY = 1,
    SPIRE_MYSQL_TYPE_NULL = 6,
    SPIRE_MYSQL_TYPE_LONGLONG = 8,
    SPIRE_MYSQL_TYPE_DATETIME = 12,
    SPIRE_MYSQL_TYPE_BLOB = 252,
    SPIRE_MYSQL_TYPE_STRING = 254,

    SPIRE_MYSQL_NO_DATA = 100,
    SPIRE_MYSQL_DATA_TRUNCATED = 101,

    SPIRE_MYSQL_CLIENT_FOUND_ROWS = 2,

    SPIRE_MYSQL_OPT_CONNECT_TIMEOUT = 0,
    SPIRE_MYSQL_INIT_COMMAND = 3,
    SPIRE_MYSQL_SET_CHARSET_NAME = 7,
    SPIRE_MYSQL_OPT_LOCAL_INFILE = 8,
    SPIRE_MYSQL_OPT_PROTOCOL = 9,
    SPIRE_MYSQL_OPT_READ_TIMEOUT = 11,
    SPIRE_MYSQL_OPT_WRITE_TIMEOUT = 12,
    SPIRE_MYSQL_OPT_SSL_VERIFY_SERVER_CERT = 21,
    SPIRE_MYSQL_OPT_SSL_KEY = 25,
    SPIRE_MYSQL_OPT_SSL_CERT = 26,
    SPIRE_MYSQL_OPT_SSL_CA = 27,
    SPIRE_MYSQL_ENABLE_CLEARTEXT_PLUGIN = 36,
    SPIRE_MYSQL_OPT_SSL_ENFORCE = 38,
    SPIRE_MYSQL_OPT_CONNECT_ATTR_ADD = 33,
};

// One parameter or column of a prepared statement.
typedef struct spire_mysql_bind {
    unsigned long *length;
    char *is_null;
    void *buffer;
    char *error;
    void *row_or_indicator;
    void *store_param_function;
    void *fetch_result;
    void *skip_result;
    unsigned long buffer_length;
    unsigned long offset;
    unsigned long length_value;
    unsigned int flags;
    unsigned int pack_length;
    int buffer_type;
    char error_value;
    char is_unsigned;
    char long_data_used;
    char is_null_value;
    void *extension;
} spire_mysql_bind;

typedef struct spire_mysql_time {
    unsigned int year, month, day, hour, minute, second;
    unsigned long second_part;
    char negative;
    int time_type;
} spire_mysql_time;

#define SPIRE_LIBMARIADB_FUNCTIONS(X) \
    X(MYSQL *, mysql_init, (MYSQL *)) \
    X(int, mysql_options, (MYSQL *, int, const void *)) \
    X(MYSQL *, mysql_real_connect, (MYSQL *, const char *, const char *, const char *, const char *, unsigned int, \
                                    const char *, unsigned long)) \
    X(void, mysql_close, (MYSQL *)) \
    X(unsigned int, mysql_errno, (MYSQL *)) \
    X(const char *, mysql_error, (MYSQL *)) \
    X(const char *, mysql_sqlstate, (MYSQL *)) \
    X(int, mysql_real_query, (MYSQL *, const char *, unsigned long)) \
    X(MYSQL_RES *, mysql_store_result, (MYSQL *)) \
    X(void, mysql_free_result, (MYSQL_RES *)) \
    X(unsigned int, mysql_num_fields, (MYSQL_RES *)) \
    X(MYSQL_ROW, mysql_fetch_row, (MYSQL_RES *)) \
    X(unsigned long *, mysql_fetch_lengths, (MYSQL_RES *)) \
    X(unsigned long long, mysql_affected_rows, (MYSQL *)) \
    X(MYSQL_STMT *, mysql_stmt_init, (MYSQL *)) \
    X(int, mysql_stmt_prepare, (MYSQL_STMT *, const char *, unsigned long)) \
    X(unsigned long, mysql_stmt_param_count, (MYSQL_STMT *)) \
    X(unsigned int, mysql_stmt_field_count, (MYSQL_STMT *)) \
    X(char, mysql_stmt_bind_param, (MYSQL_STMT *, spire_mysql_bind *)) \
    X(char, mysql_stmt_bind_result, (MYSQL_STMT *, spire_mysql_bind *)) \
    X(int, mysql_stmt_execute, (MYSQL_STMT *)) \
    X(int, mysql_stmt_store_result, (MYSQL_STMT *)) \
    X(int, mysql_stmt_fetch, (MYSQL_STMT *)) \
    X(int, mysql_stmt_fetch_column, (MYSQL_STMT *, spire_mysql_bind *, unsigned int, unsigned long)) \
    X(char, mysql_stmt_free_result, (MYSQL_STMT *)) \
    X(char, mysql_stmt_close, (MYSQL_STMT *)) \
    X(unsigned long long, mysql_stmt_affected_rows, (MYSQL_STMT *)) \
    X(unsigned long long, mysql_stmt_insert_id, (MYSQL_STMT *)) \
    X(unsigned int, mysql_stmt_errno, (MYSQL_STMT *)) \
    X(const char *, mysql_stmt_error, (MYSQL_STMT *)) \
    X(const char *, mysql_stmt_sqlstate, (MYSQL_STMT *))

struct spire_libmariadb {
#define SPIRE_FIELD(type, name, parameters) type(*name) parameters;
    SPIRE_LIBMARIADB_FUNCTIONS(SPIRE_FIELD)
#undef SPIRE_FIELD
};

// Loads and initialises the library. Returns NULL, or what went wrong; the text is valid until the next call of the same
// thread. To be called once.
const char *spire_libmariadb_load(struct spire_libmariadb *functions);

#endif
