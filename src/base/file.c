/* Files in and out: sources at offsets, whole-file reads, atomic writes. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

const char *cliv__shown(const char *path) {
  const size_t length = strlen(path), most = 160;
  return length > most ? path + (length - most) : path;
}

static cliv_status fail_errno(const char *what, const char *path, int code) {
  char reason[128] = "";
  if (strerror_r(code, reason, sizeof reason) != 0) snprintf(reason, sizeof reason, "error %d", code);
  return cliv__fail(NULL, CLIV_FILE, "cannot %s '%s': %s%s", what, cliv__shown(path), reason,
                    code == ENOSPC ? " (the disk is full)" : "");
}

/* ---- in ---- */

static ssize_t read_some(int fd, void *to, size_t n) {
  ssize_t got;
  do got = read(fd, to, n);
  while (got < 0 && errno == EINTR);
  return got;
}

/* Reads to the end, whatever the size was said to be: files grow, and pipes have none. */
static cliv_status read_all(int fd, const char *path, size_t expected, size_t cap, unsigned char **data,
                            size_t *bytes) {
  size_t room = expected < cap ? expected + 1 : cap, used = 0;
  unsigned char *buffer = malloc(room + 1);
  while (buffer) {
    const ssize_t got = read_some(fd, buffer + used, room + 1 - used);
    if (got < 0) {
      const int code = errno;
      free(buffer);
      return fail_errno("read", path, code);
    }
    if (got == 0) break;
    used += (size_t)got;
    if (used > cap) {
      free(buffer);
      return cliv__fail(NULL, CLIV_FORMAT, "%s: longer than the %zu bytes that such a file may have", cliv__shown(path),
                        cap);
    }
    if (used <= room) continue;
    room = room < cap / 2 ? 2 * room : cap;
    unsigned char *larger = realloc(buffer, room + 1);
    if (!larger) free(buffer);
    buffer = larger;
  }
  REQUIRE(NULL, buffer != NULL, HOST_MEMORY, "%s: out of memory for %zu bytes", cliv__shown(path), room);
  buffer[used] = 0;
  *data = buffer;
  *bytes = used;
  return CLIV_OK;
}

static cliv_status open_to_read(const char *path, int *fd, struct stat *st) {
  REQUIRE(NULL, path != NULL, NULL, "the name of the file to read is NULL");
  do *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  while (*fd < 0 && errno == EINTR);
  if (*fd < 0) return fail_errno("open", path, errno);
  int code = fstat(*fd, st) != 0 ? errno : S_ISDIR(st->st_mode) ? EISDIR : 0;
  if (!code && S_ISREG(st->st_mode) && (uintmax_t)st->st_size > SIZE_MAX - 2) code = EFBIG;
  if (!code) return CLIV_OK;
  close(*fd);
  return fail_errno("read", path, code);
}

cliv_status cliv__file_read(const char *path, size_t cap, unsigned char **data, size_t *bytes) {
  int fd;
  struct stat st;
  *data = NULL;
  *bytes = 0;
  TRY(open_to_read(path, &fd, &st));
  if (cap > SIZE_MAX - 2) cap = SIZE_MAX - 2;
  const cliv_status status = read_all(fd, path, S_ISREG(st.st_mode) ? (size_t)st.st_size : 65536, cap, data, bytes);
  close(fd);
  return status;
}

bool cliv__file_try_read(const char *path, size_t cap, unsigned char **data, size_t *bytes) {
  const cliv__error held = cliv__error_hold(NULL);
  const cliv_status status = cliv__file_read(path, cap, data, bytes);
  cliv__error_restore(NULL, &held);
  return status == CLIV_OK;
}

cliv_status cliv__source_open(const char *path, cliv__source *out) {
  struct stat st;
  *out = (cliv__source){.name = path, .fd = -1};
  int fd;
  TRY(open_to_read(path, &fd, &st));
  if (S_ISREG(st.st_mode)) {
    out->fd = fd;
    out->size = (size_t)st.st_size;
    return CLIV_OK;
  }
  const cliv_status status = read_all(fd, path, 65536, SIZE_MAX - 2, &out->owned, &out->size);
  out->memory = out->owned;
  close(fd);
  return status;
}

cliv__source cliv__source_memory(const void *bytes, size_t size, const char *name) {
  return (cliv__source){.name = name, .size = size, .fd = -1, .memory = bytes};
}

cliv_status cliv__source_read(const cliv__source *source, size_t offset, void *to, size_t n) {
  REQUIRE(NULL, offset <= source->size && n <= source->size - offset, FORMAT,
          "%s: ends after %zu bytes, where %zu more are needed from byte %zu on: the file is truncated",
          cliv__shown(source->name), source->size, n, offset);
  if (source->fd < 0) {
    if (n > 0) memcpy(to, source->memory + offset, n);
    return CLIV_OK;
  }
  for (unsigned char *p = to; n > 0;) {
    const ssize_t got = pread(source->fd, p, n, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read", source->name, errno);
    REQUIRE(NULL, got > 0, FILE, "cannot read '%s': it became shorter while it was read", cliv__shown(source->name));
    p += got;
    offset += (size_t)got;
    n -= (size_t)got;
  }
  return CLIV_OK;
}

void cliv__source_close(cliv__source *source) {
  if (source->fd >= 0) close(source->fd);
  free(source->owned);
  *source = (cliv__source){.name = "", .fd = -1};
}

/* ---- out ---- */

struct cliv__writer {
  int fd;
  char *target;
  char *temporary; /* NULL: the target is written directly */
};

static void writer_free(cliv__writer *writer) {
  free(writer->target);
  free(writer->temporary);
  free(writer);
}

/* The file that the path leads to: rename() would replace a symbolic link, not what it points at. */
static char *resolve(const char *path) {
  struct stat st;
  if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
    char *real = realpath(path, NULL);
    if (real) return real;
  }
  return strdup(path);
}

static bool same_file(int fd, const char *path) {
  struct stat a, b;
  return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Opens `path` as this writer's own: creates it, or takes over what a dead process left. -1 with errno EEXIST:
 * another writer has it, try the next name. Who holds the lock, while the name still leads to the locked file, is the
 * owner. */
static int claim(const char *path) {
  const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
  int fd = open(path, flags | O_CREAT | O_EXCL, 0666);
  const bool fresh = fd >= 0;
  if (!fresh && errno != EEXIST) return -1;
  if (!fresh) fd = open(path, flags);
  if (fd < 0) {
    errno = EEXIST;
    return -1;
  }
  struct stat st;
  const bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  const bool lockless =
      !locked && errno != EWOULDBLOCK; /* a file system without locks: only what is fresh is surely ours */
  const bool ours = (locked && same_file(fd, path)) || (lockless && fresh);
  if (ours && (fresh || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid() &&
                         ftruncate(fd, 0) == 0)))
    return fd;
  close(fd);
  errno = EEXIST;
  return -1;
}

static cliv_status open_temporary(cliv__writer *writer, const char *path) {
  const size_t length = strlen(writer->target) + 16;
  writer->temporary = malloc(length);
  REQUIRE(NULL, writer->temporary != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(path));
  for (int i = 0; i < 100; i++) {
    if (i == 0) snprintf(writer->temporary, length, "%s.tmp", writer->target);
    else snprintf(writer->temporary, length, "%s.%d.tmp", writer->target, i);
    writer->fd = claim(writer->temporary);
    if (writer->fd >= 0) return CLIV_OK;
    if (errno != EEXIST) break;
  }
  return fail_errno("write", path, errno);
}

static cliv_status open_to_write(cliv__writer *writer, const char *path) {
  struct stat st;
  const bool exists = stat(path, &st) == 0;
  if (exists && S_ISDIR(st.st_mode)) return fail_errno("write", path, EISDIR);
  if (exists && !S_ISREG(st.st_mode)) {
    writer->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return writer->fd < 0 ? fail_errno("write", path, errno) : CLIV_OK;
  }
  TRY(open_temporary(writer, path));
  /* The new file takes over the old one's permissions; a file system that knows none is no reason to fail. */
  if (exists && fchmod(writer->fd, st.st_mode & 07777) != 0) return CLIV_OK;
  return CLIV_OK;
}

cliv_status cliv__writer_open(const char *path, cliv__writer **out) {
  *out = NULL;
  REQUIRE(NULL, path != NULL, NULL, "the name of the file to write is NULL");
  cliv__writer *writer = malloc(sizeof *writer);
  if (writer) *writer = (cliv__writer){.fd = -1, .target = resolve(path)};
  if (!writer || !writer->target) {
    free(writer);
    return cliv__fail(NULL, CLIV_HOST_MEMORY, "%s: out of memory", cliv__shown(path));
  }
  const cliv_status status = open_to_write(writer, path);
  if (status) writer_free(writer);
  else *out = writer;
  return status;
}

cliv_status cliv__writer_append(cliv__writer *writer, const void *data, size_t bytes) {
  for (const unsigned char *p = data; bytes > 0;) {
    const ssize_t put = write(writer->fd, p, bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write", writer->target, errno);
    p += put;
    bytes -= (size_t)put;
  }
  return CLIV_OK;
}

void cliv__writer_abandon(cliv__writer *writer) {
  if (!writer) return;
  if (writer->temporary) unlink(writer->temporary); /* before the lock goes with the descriptor */
  if (writer->fd >= 0) close(writer->fd);
  writer_free(writer);
}

/* Makes the renaming last. Some file systems cannot flush a folder, and one may write into a folder without being
 * allowed to read it: neither is an error. */
static cliv_status flush_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
  REQUIRE(NULL, folder != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(path));
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  if (fd < 0) return CLIV_OK;
  int code = fsync(fd) != 0 ? errno : 0;
  if (code == EINVAL || code == ENOTSUP) code = 0;
  if (close(fd) != 0 && !code) code = errno;
  return code ? fail_errno("flush the folder of", path, code) : CLIV_OK;
}

cliv_status cliv__writer_commit(cliv__writer *writer) {
  int code = 0;
  if (writer->temporary && (fsync(writer->fd) != 0 || rename(writer->temporary, writer->target) != 0)) code = errno;
  if (code) {
    const cliv_status status = fail_errno("write", writer->target, code);
    cliv__writer_abandon(writer);
    return status;
  }
  cliv_status status = CLIV_OK;
  if (close(writer->fd) != 0) status = fail_errno("close", writer->target, errno);
  else if (writer->temporary) status = flush_folder(writer->target);
  writer_free(writer);
  return status;
}

cliv_status cliv__file_write(const char *path, const void *data, size_t bytes) {
  cliv__writer *writer;
  TRY(cliv__writer_open(path, &writer));
  const cliv_status status = cliv__writer_append(writer, data, bytes);
  if (!status) return cliv__writer_commit(writer);
  cliv__writer_abandon(writer);
  return status;
}

static cliv_status make_folder(const char *path) {
  struct stat st;
  if (mkdir(path, 0777) == 0) return CLIV_OK;
  const int code = errno;
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return CLIV_OK;
  return fail_errno("make the folder", path, code);
}

cliv_status cliv__make_folders(const char *path) {
  REQUIRE(NULL, path != NULL, NULL, "the name of the folder to make is NULL");
  char *copy = strdup(path);
  REQUIRE(NULL, copy != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(path));
  cliv_status status = CLIV_OK;
  for (char *p = copy; !status && *p; p++) {
    if (p == copy || *p != '/') continue;
    *p = 0;
    status = make_folder(copy);
    *p = '/';
  }
  if (!status) status = make_folder(copy);
  free(copy);
  return status;
}
