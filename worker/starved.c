/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/starved.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "worker/files.h"

/* The state stands behind the name, which may hold anything: proc(5). */
static char state_of(pid_t pid, const char *thread)
{
    char path[128];
    char text[512];
    snprintf(path, sizeof(path), "/proc/%d/task/%.32s/stat", (int)pid, thread);
    const char *end = files_read(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    return end && end[1] == ' ' ? end[2] : '\0';
}

bool starved_is(pid_t pid)
{
    char path[64];
    bool is_starved = false;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && !is_starved && (entry = readdir(dir));) {
        char state = entry->d_name[0] == '.' ? '\0' : state_of(pid, entry->d_name);
        is_starved = state == 'R' || state == 'D';
    }
    if (dir) {
        closedir(dir);
    }
    return is_starved;
}
