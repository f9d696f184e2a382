/* SPDX-License-Identifier: Apache-2.0 */
#include "api/list.h"

#include <inttypes.h>
#include <string.h>

enum weir_code api_list_read(struct api_call *call, const char *const *also, struct api_list *ret)
{
    struct api_page page;
    struct weir_id after = {{0}};
    enum weir_code code = api_call_page(call, also, &page);
    if (code != WEIR_OK) {
        return code;
    }
    if (page.after && weir_id_parse(page.after, strlen(page.after), &after, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "bad_cursor", NULL, "cursor is not one we gave");
    }
    ret->limit = page.limit;
    ret->limit_text = weir_arena_printf(call->arena, "%" PRId64, page.limit + 1);
    ret->after = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&after));
    return WEIR_OK;
}

void api_list_answer(struct api_call *call, const struct api_list *list,
                     const struct weir_db_rows *rows, size_t id_column, api_list_write_fn *write)
{
    size_t found = weir_db_count(rows);
    size_t n = found > (size_t)list->limit ? (size_t)list->limit : found;
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "items", '[');
    for (size_t i = 0; i < n; i++) {
        write(&out, rows, i);
    }
    weir_json_close(&out, ']');
    weir_json_str(&out, "next_cursor",
                  found > n ? api_cursor(call->arena, weir_db_text(rows, n - 1, id_column)) : NULL);
    weir_json_close(&out, '}');
    api_call_json(call, 200, &out);
}
