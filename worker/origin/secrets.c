/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/secrets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/service/settings.h"

struct secret {
    char text[SECRET_MAX + 1];
    size_t len; /* 0: none */
};

struct secrets {
    const char *path;
    pthread_mutex_t lock; /* guards `list` */
    struct secret list[SECRETS_N];
    struct timespec changed_at;
    ino_t inode;
};

/* Takes the next line off *text. */
static size_t next_line(const char **text, const char **ret)
{
    size_t len = strcspn(*text, "\n");
    *ret = *text;
    *text += len + ((*text)[len] == '\n' ? 1 : 0);
    return len;
}

static enum weir_code parse(const char *text, struct secret list[SECRETS_N], struct weir_err *err)
{
    size_t n = 0;
    while (*text != '\0') {
        const char *line = NULL;
        size_t len = next_line(&text, &line);
        if (n == SECRETS_N || len < SECRET_MIN || len > SECRET_MAX) {
            return weir_fail(err, WEIR_EINVAL, "expected 1 or %d lines of %d to %d bytes",
                             SECRETS_N, SECRET_MIN, SECRET_MAX);
        }
        memcpy(list[n].text, line, len);
        list[n++].len = len;
    }
    return n > 0 ? WEIR_OK : weir_fail(err, WEIR_EINVAL, "the file is empty");
}

enum weir_code secrets_refresh(struct secrets *secrets, struct weir_err *err)
{
    struct stat st = {0};
    if (stat(secrets->path, &st) == 0 && st.st_ino == secrets->inode &&
        memcmp(&st.st_mtim, &secrets->changed_at, sizeof(st.st_mtim)) == 0) {
        return WEIR_OK;
    }
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(1024);
    struct secret list[SECRETS_N] = {0};
    const char *text = NULL;
    enum weir_code code =
        weir_settings_read_secret(secrets->path, SECRETS_BYTES_MAX, arena, &text, err);
    if (code == WEIR_OK) {
        code = parse(text, list, err);
    }
    if (code != WEIR_OK) {
        return weir_fail_in(err, code, "%s", secrets->path);
    }
    pthread_mutex_lock(&secrets->lock);
    memcpy(secrets->list, list, sizeof(list));
    pthread_mutex_unlock(&secrets->lock);
    secrets->changed_at = st.st_mtim;
    secrets->inode = st.st_ino;
    return WEIR_OK;
}

enum weir_code secrets_open(const char *path, struct secrets **ret, struct weir_err *err)
{
    struct secrets *secrets = weir_xalloc(sizeof(*secrets));
    secrets->path = path;
    pthread_mutex_init(&secrets->lock, NULL);
    enum weir_code code = secrets_refresh(secrets, err);
    if (code != WEIR_OK) {
        secrets_close(&secrets);
        return code;
    }
    *ret = secrets;
    return WEIR_OK;
}

void secrets_close(struct secrets **secrets)
{
    struct secrets *gone = WEIR_TAKE(*secrets);
    if (gone != NULL) {
        pthread_mutex_destroy(&gone->lock);
        explicit_bzero(gone->list, sizeof(gone->list));
        free(gone);
    }
}

bool secrets_allow(struct secrets *secrets, const char *authorization)
{
    struct secret shown = {0};
    if (authorization == NULL || !weir_str_starts_with(authorization, "Bearer ") ||
        !weir_str_copy(shown.text, sizeof(shown.text), authorization + strlen("Bearer "))) {
        return false;
    }
    shown.len = strlen(shown.text);
    bool is_allowed = false;
    pthread_mutex_lock(&secrets->lock);
    for (size_t i = 0; i < SECRETS_N; i++) {
        const struct secret *secret = &secrets->list[i];
        bool is_equal = weir_str_equal_secret(secret->text, shown.text, sizeof(shown.text));
        is_allowed = is_allowed | (is_equal & (secret->len > 0));
    }
    pthread_mutex_unlock(&secrets->lock);
    return is_allowed;
}
