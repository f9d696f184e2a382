/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/str.h"
#include "worker/cgroup.h"
#include "worker/files.h"
#include "worker/gpu.h"

/* Each test has a folder of its own in place of the root. */
static char root[64];

static int make_root(void **state)
{
    (void)state;
    WEIR_STR_SET(root, "/tmp/weir-load-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command);
}

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s%s", root, path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(files_make_dir(full, NULL), WEIR_OK);
    *slash = '/';
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* ---- control groups ---- */

static void without_any_group_nothing_is_limited(void **state)
{
    (void)state;
    struct cgroup cgroup;
    cgroup_read(root, &cgroup);
    assert_false(cgroup.has_cpu_limit || cgroup.has_mem_limit || cgroup.has_cpu_used ||
                 cgroup.has_mem_used || cgroup.has_cpus);
}

static void version_2_takes_the_tightest_limit_on_the_way_up(void **state)
{
    (void)state;
    struct cgroup cgroup;
    put("/proc/self/cgroup", "0::/weir.slice/worker\n");
    put("/sys/fs/cgroup/weir.slice/worker/cgroup.controllers", "cpu memory\n");
    put("/sys/fs/cgroup/weir.slice/worker/cpu.max", "400000 100000\n");
    put("/sys/fs/cgroup/weir.slice/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/weir.slice/worker/memory.max", "max\n");
    put("/sys/fs/cgroup/weir.slice/memory.max", "1073741824\n");
    put("/sys/fs/cgroup/weir.slice/worker/memory.current", "300000000\n");
    put("/sys/fs/cgroup/weir.slice/worker/memory.stat", "anon 1\ninactive_file 100000000\n");
    put("/sys/fs/cgroup/weir.slice/worker/cpu.stat", "usage_usec 5000\nuser_usec 1\n");
    put("/sys/fs/cgroup/weir.slice/worker/cpuset.cpus.effective", "0-1,4\n");
    cgroup_read(root, &cgroup);
    assert_true(cgroup.has_cpu_limit);
    assert_int_equal(cgroup.cpu_milli, 1500);
    assert_true(cgroup.has_mem_limit);
    assert_int_equal(cgroup.mem_limit_bytes, 1073741824);
    assert_int_equal(cgroup.mem_used_bytes, 200000000);
    assert_int_equal(cgroup.cpu_used_us, 5000);
    assert_int_equal(cgroup.cpus, 3);
}

static void version_2_unlimited_is_no_limit(void **state)
{
    (void)state;
    struct cgroup cgroup;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/memory.max", "max\n");
    cgroup_read(root, &cgroup);
    assert_false(cgroup.has_cpu_limit || cgroup.has_mem_limit);
}

static void version_1_has_a_group_for_each_controller(void **state)
{
    (void)state;
    struct cgroup cgroup;
    put("/proc/self/cgroup", "9:memory:/job\n4:cpu,cpuacct:/job\n2:cpuset:/\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpuacct.usage", "7000000\n");
    put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "536870912\n");
    put("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1000\n");
    put("/sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 400\n");
    put("/sys/fs/cgroup/cpuset/cpuset.cpus", "0-7\n");
    cgroup_read(root, &cgroup);
    assert_int_equal(cgroup.cpu_milli, 500);
    assert_int_equal(cgroup.cpu_used_us, 7000);
    assert_int_equal(cgroup.mem_limit_bytes, 536870912);
    assert_int_equal(cgroup.mem_used_bytes, 600);
    assert_int_equal(cgroup.cpus, 8);
}

static void version_1_unlimited_is_no_limit(void **state)
{
    (void)state;
    struct cgroup cgroup;
    put("/proc/self/cgroup", "9:memory:/\n4:cpu:/\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    cgroup_read(root, &cgroup);
    assert_false(cgroup.has_cpu_limit || cgroup.has_mem_limit);
}

static void a_path_that_a_container_cannot_see_means_the_mounts_root(void **state)
{
    (void)state;
    struct cgroup cgroup;
    put("/proc/self/cgroup", "4:cpu,cpuacct:/docker/0123456789ab\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    cgroup_read(root, &cgroup);
    assert_int_equal(cgroup.cpu_milli, 2000);
}

static void cpu_lists_are_counted(void **state)
{
    (void)state;
    assert_int_equal(cgroup_count_cpus("0-3,8\n"), 5);
    assert_int_equal(cgroup_count_cpus("5"), 1);
    assert_int_equal(cgroup_count_cpus(""), 0);
    assert_int_equal(cgroup_count_cpus("3-1"), 0);
    assert_int_equal(cgroup_count_cpus("none"), 0);
}

/* ---- load ---- */

static struct load_reader reader_here(void)
{
    struct load_reader reader = {0};
    WEIR_STR_SET(reader.root, root);
    return reader;
}

static void a_machine_that_tells_nothing_has_no_load(void **state)
{
    (void)state;
    struct load_reader reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    load_sample(&reader, 1000, &load);
    assert_int_equal(load.cpu_milli_cap, 1000);
    assert_int_equal(load.cpu_milli_used, 0);
    assert_int_equal(load.net_kbps_cap, 1000000);
    assert_false(load.has_psi_cpu_avg10_ppm || load.has_psi_mem_avg10_ppm);
}

static void put_machine(const char *stat)
{
    put("/proc/stat", stat);
    put("/sys/devices/system/cpu/online", "0-3\n");
    put("/proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  6291456 kB\n");
}

static void cpu_is_the_busy_time_since_the_last_sample(void **state)
{
    (void)state;
    struct load_reader reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    put_machine("cpu 100 0 100 1000 0 0 0 0\n");
    load_sample(&reader, 1000, &load);
    assert_int_equal(load.cpu_milli_used, 0);
    put_machine("cpu 150 0 150 1200 50 0 0 100\n"); /* 200 ticks of 10 ms in 2 s, steal too */
    load_sample(&reader, 3000, &load);
    assert_int_equal(load.cpu_milli_used, 200 * (1000 / sysconf(_SC_CLK_TCK)) * 1000 / 2000);
    assert_int_equal(load.cpu_milli_cap, 4000);
    assert_int_equal(load.mem_mib_cap, 8192);
    assert_int_equal(load.mem_mib_used, 2048);
}

static void a_limited_group_counts_only_itself(void **state)
{
    (void)state;
    struct load_reader reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    put_machine("cpu 100 0 100 1000 0 0 0 0\n");
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cgroup.controllers", "cpu\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    put("/sys/fs/cgroup/cpu.stat", "usage_usec 1000000\n");
    put("/sys/fs/cgroup/memory.max", "1073741824\n");
    put("/sys/fs/cgroup/memory.current", "104857600\n");
    load_sample(&reader, 1000, &load);
    put("/sys/fs/cgroup/cpu.stat", "usage_usec 1500000\n");
    load_sample(&reader, 2000, &load);
    assert_int_equal(load.cpu_milli_cap, 2000);
    assert_int_equal(load.cpu_milli_used, 500);
    assert_int_equal(load.mem_mib_cap, 1024);
    assert_int_equal(load.mem_mib_used, 100);
}

static void network_is_what_leaves_over_real_cards(void **state)
{
    (void)state;
    struct load_reader reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    const char *head = "Inter-|   Receive  |  Transmit\n face |bytes ...\n";
    char text[512];
    put("/sys/class/net/eth0/speed", "10000\n");
    put("/sys/class/net/veth1/speed", "-1\n");
    put("/sys/class/net/lo/speed", "77\n");
    snprintf(text, sizeof(text), "%s    lo: 9 9 0 0 0 0 0 0 900 9\n  eth0:1 2 0 0 0 0 0 0 1000 9\n",
             head);
    put("/proc/net/dev", text);
    load_sample(&reader, 1000, &load);
    assert_int_equal(load.net_kbps_cap, 10000000);
    assert_int_equal(load.net_kbps_used, 0);
    snprintf(text, sizeof(text),
             "%s    lo: 9 9 0 0 0 0 0 0 99999999 9\n  eth0:1 2 0 0 0 0 0 0 126000 9\n", head);
    put("/proc/net/dev", text);
    load_sample(&reader, 2000, &load);
    assert_int_equal(load.net_kbps_used, 1000);
}

static void pressure_is_told_in_parts_per_million(void **state)
{
    (void)state;
    struct load_reader reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    put("/proc/pressure/cpu", "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\n");
    put("/proc/pressure/memory", "nonsense\n");
    load_sample(&reader, 1000, &load);
    assert_true(load.has_psi_cpu_avg10_ppm);
    assert_int_equal(load.psi_cpu_avg10_ppm, 125000);
    assert_false(load.has_psi_mem_avg10_ppm);
}

static void counters_that_went_back_give_no_load(void **state)
{
    (void)state;
    struct load_reader reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    put_machine("cpu 500 0 500 1000 0 0 0 0\n");
    load_sample(&reader, 1000, &load);
    put_machine("cpu 1 0 1 1 0 0 0 0\n");
    load_sample(&reader, 2000, &load);
    assert_int_equal(load.cpu_milli_used, 0);
}

/* ---- GPU ---- */

static void a_machine_without_the_library_has_no_gpu(void **state)
{
    (void)state;
    struct weir_ev_heartbeat_load load = {0};
    struct gpu *gpu = gpu_open("libweir-no-such-library.so.1");
    assert_null(gpu);
    assert_int_equal(gpu_count(gpu), 0);
    gpu_sample(gpu, &load);
    assert_false(load.has_gpu_permille_used || load.has_gpu_mem_mib_cap);
    gpu_close(&gpu);
}

static void cards_are_summed_and_what_a_card_does_not_tell_is_left_out(void **state)
{
    (void)state;
    struct weir_ev_heartbeat_load load = {0};
    struct gpu *gpu = gpu_open(WEIR_FAKE_NVML);
    assert_non_null(gpu);
    assert_int_equal(gpu_count(gpu), 2);
    gpu_sample(gpu, &load);
    assert_true(load.has_gpu_permille_used);
    assert_int_equal(load.gpu_permille_used, 800); /* the second card tells no rates */
    assert_int_equal(load.gpu_mem_mib_cap, 3 * 1024);
    assert_int_equal(load.gpu_mem_mib_used, 1024);
    gpu_close(&gpu);
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOT(without_any_group_nothing_is_limited),
        IN_ROOT(version_2_takes_the_tightest_limit_on_the_way_up),
        IN_ROOT(version_2_unlimited_is_no_limit),
        IN_ROOT(version_1_has_a_group_for_each_controller),
        IN_ROOT(version_1_unlimited_is_no_limit),
        IN_ROOT(a_path_that_a_container_cannot_see_means_the_mounts_root),
        cmocka_unit_test(cpu_lists_are_counted),
        IN_ROOT(a_machine_that_tells_nothing_has_no_load),
        IN_ROOT(cpu_is_the_busy_time_since_the_last_sample),
        IN_ROOT(a_limited_group_counts_only_itself),
        IN_ROOT(network_is_what_leaves_over_real_cards),
        IN_ROOT(pressure_is_told_in_parts_per_million),
        IN_ROOT(counters_that_went_back_give_no_load),
        cmocka_unit_test(a_machine_without_the_library_has_no_gpu),
        cmocka_unit_test(cards_are_summed_and_what_a_card_does_not_tell_is_left_out),
    };
    return cmocka_run_group_tests_name("worker load", tests, NULL, NULL);
}
