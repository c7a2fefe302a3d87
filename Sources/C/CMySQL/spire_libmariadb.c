// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <stddef.h>

#if __has_include(<mariadb/mysql.h>)
#include <mariadb/mysql.h>
#define SPIRE_HAS_HEADER 1
#endif

#include "spire_libmariadb.h"

#ifdef SPIRE_HAS_HEADER
#define SAME(ours, theirs) _Static_assert((long)(ours) == (long)(theirs), #theirs)
SAME(SPIRE_MYSQL_TYPE_TINY, MYSQL_TYPE_TINY);
SAME(SPIRE_MYSQL_TYPE_NULL, MYSQL_TYPE_NULL);
SAME(SPIRE_MYSQL_TYPE_LONGLONG, MYSQL_TYPE_LONGLONG);
SAME(SPIRE_MYSQL_TYPE_DATETIME, MYSQL_TYPE_DATETIME);
SAME(SPIRE_MYSQL_TYPE_BLOB, MYSQL_TYPE_BLOB);
SAME(SPIRE_MYSQL_TYPE_STRING, MYSQL_TYPE_STRING);
SAME(SPIRE_MYSQL_NO_DATA, MYSQL_NO_DATA);
SAME(SPIRE_MYSQL_DATA_TRUNCATED, MYSQL_DATA_TRUNCATED);
SAME(SPIRE_MYSQL_CLIENT_FOUND_ROWS, CLIENT_FOUND_ROWS);
SAME(SPIRE_MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_CONNECT_TIMEOUT);
SAME(SPIRE_MYSQL_INIT_COMMAND, MYSQL_INIT_COMMAND);
SAME(SPIRE_MYSQL_SET_CHARSET_NAME, MYSQL_SET_CHARSET_NAME);
SAME(SPIRE_MYSQL_OPT_LOCAL_INFILE, MYSQL_OPT_LOCAL_INFILE);
SAME(SPIRE_MYSQL_OPT_PROTOCOL, MYSQL_OPT_PROTOCOL);
SAME(SPIRE_MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_READ_TIMEOUT);
SAME(SPIRE_MYSQL_OPT_WRITE_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT);
SAME(SPIRE_MYSQL_OPT_SSL_VERIFY_SERVER_CERT, MYSQL_OPT_SSL_VERIFY_SERVER_CERT);
SAME(SPIRE_MYSQL_OPT_SSL_KEY, MYSQL_OPT_SSL_KEY);
SAME(SPIRE_MYSQL_OPT_SSL_CERT, MYSQL_OPT_SSL_CERT);
SAME(SPIRE_MYSQL_OPT_SSL_CA, MYSQL_OPT_SSL_CA);
SAME(SPIRE_MYSQL_OPT_SSL_ENFORCE, MYSQL_OPT_SSL_ENFORCE);
SAME(SPIRE_MYSQL_OPT_CONNECT_ATTR_ADD, MYSQL_OPT_CONNECT_ATTR_ADD);
SAME(SPIRE_MYSQL_ENABLE_CLEARTEXT_PLUGIN, MYSQL_ENABLE_CLEARTEXT_PLUGIN);

SAME(sizeof(spire_mysql_bind), sizeof(MYSQL_BIND));
SAME(offsetof(spire_mysql_bind, length), offsetof(MYSQL_BIND, length));
SAME(offsetof(spire_mysql_bind, is_null), offsetof(MYSQL_BIND, is_null));
SAME(offsetof(spire_mysql_bind, buffer), offsetof(MYSQL_BIND, buffer));
SAME(offsetof(spire_mysql_bind, error), offsetof(MYSQL_BIND, error));
SAME(offsetof(spire_mysql_bind, buffer_length), offsetof(MYSQL_BIND, buffer_length));
SAME(offsetof(spire_mysql_bind, offset), offsetof(MYSQL_BIND, offset));
SAME(offsetof(spire_mysql_bind, length_value), offsetof(MYSQL_BIND, length_value));
SAME(offsetof(spire_mysql_bind, buffer_type), offsetof(MYSQL_BIND, buffer_type));
SAME(offsetof(spire_mysql_bind, is_unsigned), offsetof(MYSQL_BIND, is_unsigned));
SAME(offsetof(spire_mysql_bind, extension), offsetof(MYSQL_BIND, extension));
SAME(sizeof(spire_mysql_time), sizeof(MYSQL_TIME));
SAME(offsetof(spire_mysql_time, second), offsetof(MYSQL_TIME, second));
SAME(offsetof(spire_mysql_time, second_part), offsetof(MYSQL_TIME, second_part));
SAME(offsetof(spire_mysql_time, time_type), offsetof(MYSQL_TIME, time_type));
#endif

const char *spire_libmariadb_load(struct spire_libmariadb *functions) {
#ifdef __APPLE__
    void *library = dlopen("libmariadb.3.dylib", RTLD_NOW | RTLD_LOCAL);
#else
    void *library = dlopen("libmariadb.so.3", RTLD_NOW | RTLD_LOCAL);
#endif
    if (library == NULL) return dlerror();
#define LOAD(type, name, parameters) \
    functions->name = (type(*) parameters)dlsym(library, #name); \
    if (functions->name == NULL) return "libmariadb has no function " #name;
    SPIRE_LIBMARIADB_FUNCTIONS(LOAD)
#undef LOAD
    int (*initialise)(int, char **, char **) = (int (*)(int, char **, char **))dlsym(library, "mysql_server_init");
    if (initialise == NULL || initialise(0, NULL, NULL) != 0) return "libmariadb cannot be initialised";
    return NULL;
}
