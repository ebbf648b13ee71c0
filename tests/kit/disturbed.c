/* A disk between a program and its files, for LD_PRELOAD: it records what is written and synced,
 * and refuses or delays it when asked to. Files below one folder are meant, others are left alone.
 *
 * DISTURBED_FOLDER   the folder
 * DISTURBED_CONTROL  a file of 4096 bytes, shared: errno, delay in microseconds, then a text that
 *                    the path must contain ("" is every file)
 * DISTURBED_LOG      where to append what was done (none: nothing is recorded); see disturbed.py
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FILES 65536
enum { WRITE = 1, TRUNCATE, CREATE, UNLINK, RENAME, SYNC_BEGUN, SYNCED };

struct control { int32_t error; int32_t delay_us; char match[256]; };
struct record { int64_t at; uint32_t kind, path_bytes; uint64_t offset, bytes; };

static volatile struct control *control;
static char *paths[FILES];
static char folder[PATH_MAX];
static int log_file = -1;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int), (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off64_t);
static int (*real_unlink)(const char *), (*real_rename)(const char *, const char *);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    const char *where = getenv("DISTURBED_FOLDER"), *log = getenv("DISTURBED_LOG");
    const char *shared = getenv("DISTURBED_CONTROL");
    if (!where || !realpath(where, folder)) return;
    if (log) log_file = real_open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int file = shared ? real_open(shared, O_RDWR | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (mapped != MAP_FAILED) control = mapped;
        real_close(file);
    }
}

static const char *path_of(int file) { return file >= 0 && file < FILES ? paths[file] : NULL; }

static void note(int kind, const char *path, uint64_t offset, const void *data, size_t bytes) {
    if (log_file < 0 || !path) return;
    int before = errno;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct record head = {now.tv_sec * 1000000000LL + now.tv_nsec, kind, strlen(path), offset, bytes};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)path, head.path_bytes}, {(void *)data, bytes}};
    if (writev(log_file, parts, 3) < 0) abort();
    errno = before;
}

/* Returns whether the disk refuses; it may take its time first. */
static int refuses(const char *path) {
    if (!control || !path) return 0;
    if (control->match[0] && !strstr(path, (const char *)control->match)) return 0;
    if (control->delay_us > 0) {
        struct timespec wait = {control->delay_us / 1000000, control->delay_us % 1000000 * 1000L};
        nanosleep(&wait, NULL);
    }
    if (!control->error) return 0;
    errno = control->error;
    return 1;
}

static int opened(const char *path, int flags, mode_t mode) {
    struct stat before;
    int creates = flags & O_CREAT && stat(path, &before) != 0;
    if (creates || flags & O_TRUNC) {
        char whole[PATH_MAX];
        if (path[0] == '/' && strncmp(path, folder, strlen(folder)) == 0 && folder[0])
            if (refuses(strcpy(whole, path))) return -1;
    }
    int file = real_open(path, flags, mode);
    if (file < 0 || file >= FILES || !folder[0]) return file;
    int kept = errno;
    char link[64], whole[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, whole, sizeof whole - 1);
    free(paths[file]);
    paths[file] = NULL;
    if (length > 0) {
        whole[length] = 0;
        if (strncmp(whole, folder, strlen(folder)) == 0) {
            paths[file] = strdup(whole);
            if (creates) note(CREATE, whole, 0, NULL, 0);
            if (flags & O_TRUNC) note(TRUNCATE, whole, 0, NULL, 0);
        }
    }
    errno = kept;
    return file;
}

static mode_t mode_of(int flags, va_list more) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); \
        mode_t mode = mode_of(flags, more); va_end(more); \
        return opened(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)
int __open_2(const char *path, int flags) { return opened(path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(path, flags, 0); }

int close(int file) {
    if (path_of(file)) { free(paths[file]); paths[file] = NULL; }
    return real_close(file);
}

ssize_t write(int file, const void *data, size_t bytes) {
    const char *path = path_of(file);
    if (!path) return real_write(file, data, bytes);
    if (refuses(path)) return -1;
    ssize_t done = real_write(file, data, bytes);
    if (done > 0) note(WRITE, path, lseek64(file, 0, SEEK_CUR) - done, data, done);
    return done;
}

static ssize_t written(int file, const void *data, size_t bytes, off64_t offset) {
    const char *path = path_of(file);
    if (!path) return real_pwrite(file, data, bytes, offset);
    if (refuses(path)) return -1;
    ssize_t done = real_pwrite(file, data, bytes, offset);
    if (done > 0) note(WRITE, path, offset, data, done);
    return done;
}
ssize_t pwrite(int f, const void *d, size_t n, off_t o) { return written(f, d, n, o); }
ssize_t pwrite64(int f, const void *d, size_t n, off64_t o) { return written(f, d, n, o); }

static int synced(int file, int (*sync)(int)) {
    const char *path = path_of(file);
    if (!path) return sync(file);
    if (refuses(path)) return -1;
    note(SYNC_BEGUN, path, 0, NULL, 0);
    int done = sync(file);
    if (done == 0) note(SYNCED, path, 0, NULL, 0);
    return done;
}
int fsync(int file) { return synced(file, real_fsync); }
int fdatasync(int file) { return synced(file, real_fdatasync); }

static int truncated(int file, off64_t length) {
    const char *path = path_of(file);
    if (path && refuses(path)) return -1;
    int done = real_ftruncate(file, length);
    if (done == 0) note(TRUNCATE, path, length, NULL, 0);
    return done;
}
int ftruncate(int file, off_t length) { return truncated(file, length); }
int ftruncate64(int file, off64_t length) { return truncated(file, length); }

static const char *inside(const char *path, char *whole) {
    if (path[0] == '/') strncpy(whole, path, PATH_MAX - 1), whole[PATH_MAX - 1] = 0;
    else if (!realpath(path, whole)) return NULL;
    return folder[0] && strncmp(whole, folder, strlen(folder)) == 0 ? whole : NULL;
}

int unlink(const char *path) {
    char whole[PATH_MAX];
    const char *ours = inside(path, whole);
    if (ours && refuses(ours)) return -1;
    int done = real_unlink(path);
    if (done == 0) note(UNLINK, ours, 0, NULL, 0);
    return done;
}

int rename(const char *from, const char *to) {
    char whole[PATH_MAX], other[PATH_MAX];
    const char *ours = inside(from, whole), *theirs = inside(to, other);
    if (ours && refuses(ours)) return -1;
    int done = real_rename(from, to);
    if (done == 0 && ours && theirs) note(RENAME, ours, 0, theirs, strlen(theirs));
    return done;
}
