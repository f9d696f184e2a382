/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of rows in the order of their ids.
 *
 *     code = api_list_read(call, also, &list);
 *     ... "WHERE id > $1 ORDER BY id LIMIT $2", {list.after, list.limit_text} ...
 *     api_list_answer(call, &list, rows, C_ID, write_group);
 */
#ifndef WEIR_API_LIST_H
#define WEIR_API_LIST_H

#include "api/call.h"

struct api_list {
    int64_t limit;
    const char *limit_text; /* one more than the page has: whether there is a next one */
    const char *after;      /* an id; nil at the begin */
};

/* As api_call_page, for cursors that are ids. */
WEIR_MUST_USE enum weir_code api_list_read(struct api_call *call, const char *const *also,
                                           struct api_list *ret);

typedef void api_list_write_fn(struct weir_json_out *out, const struct weir_db_rows *rows,
                               size_t row);

/* {"items":[...],"next_cursor":...}; `id_column` is what the rows are ordered by. */
void api_list_answer(struct api_call *call, const struct api_list *list,
                     const struct weir_db_rows *rows, size_t id_column, api_list_write_fn *write);

#endif
