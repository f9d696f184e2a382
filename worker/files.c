/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES   1024
#define OPEN_AT_ONCE 16

bool files_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len + 1 < size) {
        n = read(fd, text + len, size - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    text[len] = '\0';
    return n >= 0;
}

enum weir_code files_make_dir(const char *path, struct weir_err *err)
{
    char part[PATH_BYTES];
    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part)) {
        return weir_fail(err, WEIR_ELIMIT, "folder's path is longer than %d bytes", PATH_BYTES - 1);
    }
    for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST) {
            return weir_fail(err, WEIR_EIO, "cannot make folder %s: %s", part, strerror(errno));
        }
        *at = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST) {
        return weir_fail(err, WEIR_EIO, "cannot make folder %s: %s", part, strerror(errno));
    }
    return WEIR_OK;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    return at->level == 0 ? 0 : remove(path);
}

enum weir_code files_empty_dir(const char *path, struct weir_err *err)
{
    enum weir_code code = files_make_dir(path, err);
    if (code != WEIR_OK) {
        return code;
    }
    if (nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) {
        return weir_fail(err, WEIR_EIO, "cannot empty folder %s: %s", path, strerror(errno));
    }
    return WEIR_OK;
}

enum weir_code files_remove_dir(const char *path, struct weir_err *err)
{
    if (access(path, F_OK) != 0) {
        return WEIR_OK;
    }
    enum weir_code code = files_empty_dir(path, err);
    if (code == WEIR_OK && rmdir(path) != 0) {
        code = weir_fail(err, WEIR_EIO, "cannot remove folder %s: %s", path, strerror(errno));
    }
    return code;
}

enum weir_code files_write_private(const char *path, const void *bytes, size_t len,
                                   struct weir_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return weir_fail(err, WEIR_EIO, "cannot make file %s: %s", path, strerror(errno));
    }
    ssize_t n = write(fd, bytes, len);
    int closed = close(fd);
    if (n != (ssize_t)len || closed != 0) {
        return weir_fail(err, WEIR_EIO, "cannot write file %s", path);
    }
    return WEIR_OK;
}

static enum weir_code lock(int fd, const char *path, struct weir_err *err)
{
    if (fd < 0) {
        return weir_fail(err, WEIR_EIO, "cannot open %s: %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return weir_fail(err, WEIR_ECONFLICT, "another process holds %s", path);
    }
    return WEIR_OK;
}

enum weir_code files_lock(const char *path, struct weir_err *err)
{
    return lock(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), path, err);
}

enum weir_code files_lock_dir(const char *path, struct weir_err *err)
{
    return lock(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path, err);
}

int64_t files_free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
                    getsockname(fd, (struct sockaddr *)&addr, &len) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_bound ? ntohs(addr.sin_port) : 0;
}
