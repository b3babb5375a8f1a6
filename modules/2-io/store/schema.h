/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema — makes the tables of an empty file, and writes SQL from table.h.
 */
#ifndef MESHD_STORE_SCHEMA_H
#define MESHD_STORE_SCHEMA_H

#include "db.h"

enum { SCHEMA_SQL_MAX = 4096 }; /* bytes of one statement */

/* In one transaction: either all of it is there or the file stays empty. */
MUST_USE enum err schema_create(
    struct db *db, const uint8_t key_check[CRYPTO_KEY_LEN], struct fault *why);

/* A file of an older schema, in one transaction as well. */
MUST_USE enum err schema_migrate(
    struct db *db, int64_t from, struct fault *why);

/* The statements that each table has, and those of the log. */
MUST_USE enum err schema_row_sql(
    enum store_table t, enum db_row_stmt which, struct buf *out);
const char *schema_sql(enum db_stmt which);

#endif
