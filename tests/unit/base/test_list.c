/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/list.h"

#include "tests/unit/check.h"

struct item {
    int value;
    struct weir_list node;
};

static int sum(struct weir_list *head)
{
    int total = 0;
    WEIR_LIST_FOR(pos, head)
    {
        total = total * 10 + WEIR_CONTAINER(pos, struct item, node)->value;
    }
    return total;
}

static void items_are_walked_in_the_order_they_stand(void **state)
{
    (void)state;
    struct weir_list head;
    struct item items[] = {{.value = 1}, {.value = 2}, {.value = 3}};
    weir_list_init(&head);
    assert_true(weir_list_is_empty(&head));
    weir_list_push_back(&head, &items[1].node);
    weir_list_push_back(&head, &items[2].node);
    weir_list_push_front(&head, &items[0].node);
    assert_int_equal(sum(&head), 123);
}

static void the_current_item_may_be_removed_while_walking(void **state)
{
    (void)state;
    struct weir_list head;
    struct item items[] = {{.value = 1}, {.value = 2}, {.value = 3}};
    weir_list_init(&head);
    for (size_t i = 0; i < 3; i++) {
        weir_list_push_back(&head, &items[i].node);
    }
    WEIR_LIST_FOR(pos, &head)
    {
        if (WEIR_CONTAINER(pos, struct item, node)->value == 2) {
            weir_list_remove(pos);
        }
    }
    assert_int_equal(sum(&head), 13);
    weir_list_remove(&items[1].node);
    assert_int_equal(sum(&head), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_walked_in_the_order_they_stand),
        cmocka_unit_test(the_current_item_may_be_removed_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
