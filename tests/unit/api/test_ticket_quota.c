/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ticket_quota.h"

#include "tests/unit/check.h"

#define LIFE_MS 32000
#define SLOT_MS 1000
#define NOW_MS  5000500

static const struct weir_id acme = {{0xac}};
static const struct weir_id other = {{0x07}};

static struct ticket_quota *quota_of(int64_t viewer_max, int64_t tenant_max)
{
    struct ticket_quota_config config = {
        .viewer_max = viewer_max, .tenant_max = tenant_max, .life_ms = LIFE_MS};
    return ticket_quota_new(&config);
}

static struct weir_id person(uint8_t n)
{
    return (struct weir_id){{0x42, n}};
}

static enum ticket_quota_verdict take(struct ticket_quota *quota, uint8_t n, int64_t mono_ms,
                                      int64_t *ret_retry_ms)
{
    struct weir_id id = person(n);
    return ticket_quota_take(quota, &acme, &id, mono_ms, ret_retry_ms);
}

static void a_viewer_has_so_many_at_once(void **state)
{
    (void)state;
    struct ticket_quota *quota = quota_of(2, 100);
    int64_t retry_ms = 0;
    assert_int_equal(take(quota, 1, NOW_MS, &retry_ms), TICKET_QUOTA_OK);
    assert_int_equal(take(quota, 1, NOW_MS + 10000, &retry_ms), TICKET_QUOTA_OK);
    assert_int_equal(take(quota, 1, NOW_MS + 20000, &retry_ms), TICKET_QUOTA_VIEWER);
    assert_int_equal(take(quota, 2, NOW_MS + 20000, &retry_ms), TICKET_QUOTA_OK);
    /* The first one ends, and there is room for one more; it was promised for then. */
    assert_in_range(retry_ms, 12000, 12000 + SLOT_MS);
    assert_int_equal(take(quota, 1, NOW_MS + 20000 + retry_ms - 1, &(int64_t){0}),
                     TICKET_QUOTA_VIEWER);
    assert_int_equal(take(quota, 1, NOW_MS + 20000 + retry_ms, &retry_ms), TICKET_QUOTA_OK);
    assert_int_equal(take(quota, 1, NOW_MS + LIFE_MS + SLOT_MS, &retry_ms), TICKET_QUOTA_VIEWER);
    ticket_quota_free(quota);
}

static void a_place_is_never_free_before_its_ticket_ended(void **state)
{
    (void)state;
    for (int64_t begin_ms = NOW_MS; begin_ms < NOW_MS + SLOT_MS; begin_ms += 100) {
        struct ticket_quota *quota = quota_of(1, 100);
        int64_t retry_ms = 0;
        assert_int_equal(take(quota, 1, begin_ms, &retry_ms), TICKET_QUOTA_OK);
        assert_int_equal(take(quota, 1, begin_ms + LIFE_MS - 1, &retry_ms), TICKET_QUOTA_VIEWER);
        assert_int_equal(take(quota, 1, begin_ms + LIFE_MS + SLOT_MS, &retry_ms), TICKET_QUOTA_OK);
        ticket_quota_free(quota);
    }
}

static void a_tenant_has_so_many_at_once_and_no_other_notices(void **state)
{
    (void)state;
    struct ticket_quota *quota = quota_of(2, 3);
    int64_t retry_ms = 0;
    for (uint8_t n = 0; n < 3; n++) {
        assert_int_equal(take(quota, n, NOW_MS, &retry_ms), TICKET_QUOTA_OK);
    }
    assert_int_equal(take(quota, 3, NOW_MS, &retry_ms), TICKET_QUOTA_TENANT);
    assert_in_range(retry_ms, LIFE_MS, LIFE_MS + SLOT_MS);
    struct weir_id somebody = person(9);
    assert_int_equal(ticket_quota_take(quota, &other, &somebody, NOW_MS, &retry_ms),
                     TICKET_QUOTA_OK);
    assert_int_equal(take(quota, 3, NOW_MS + LIFE_MS + SLOT_MS, &retry_ms), TICKET_QUOTA_OK);
    ticket_quota_free(quota);
}

static void a_long_silence_forgets_all(void **state)
{
    (void)state;
    struct ticket_quota *quota = quota_of(1, 1);
    int64_t retry_ms = 0;
    assert_int_equal(take(quota, 1, 0, &retry_ms), TICKET_QUOTA_OK);
    assert_int_equal(take(quota, 1, 1, &retry_ms), TICKET_QUOTA_VIEWER);
    assert_in_range(retry_ms, LIFE_MS - 1, LIFE_MS + SLOT_MS);
    assert_int_equal(take(quota, 1, 1000LL * LIFE_MS, &retry_ms), TICKET_QUOTA_OK);
    assert_int_equal(take(quota, 1, 1000LL * LIFE_MS, &retry_ms), TICKET_QUOTA_VIEWER);
    ticket_quota_free(quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_viewer_has_so_many_at_once),
        cmocka_unit_test(a_place_is_never_free_before_its_ticket_ended),
        cmocka_unit_test(a_tenant_has_so_many_at_once_and_no_other_notices),
        cmocka_unit_test(a_long_silence_forgets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
