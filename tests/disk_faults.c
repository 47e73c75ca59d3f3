/* Preloaded: counts every operation that changes something below a folder, and lets one of them meet a fault.

   Kinds of faults, from the n-th operation on: the disk is full (the n-th write stores half of its data, later ones
   nothing), permission to change the folder is lost, or the folder is renamed as if it were unmounted; or the process
   ends at the n-th operation as if it were killed, after half a write. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOTHING, DENIED, FULL, KILLED, GONE };
enum { CREATE, OPEN, WRITE, FLUSH, NAME };

static char folder[PATH_MAX], elsewhere[PATH_MAX];
static long count, first, last;
static int fault, record = -1;

#define REAL(result, name, ...)                                            \
    static result (*real)(__VA_ARGS__);                                    \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* Begins to count. `log`: a descriptor that gets a line per operation, or -1; `end`: an operation at which the process
   ends as if it were killed, whatever it met before, or 0. */
void disk_faults_begin(const char* root, const char* aside, long number, int kind, int log, long end) {
    snprintf(folder, sizeof folder, "%s", root);
    snprintf(elsewhere, sizeof elsewhere, "%s", aside);
    first = number, fault = kind, record = log, last = end, count = 0;
}

static int is_below(const char* path) {
    size_t length = strlen(folder);
    return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static const char* path_of(int descriptor, char* into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, into, PATH_MAX - 1);
    into[length < 0 ? 0 : length] = 0;
    return into;
}

static const char* absolute(int at, const char* path, char* into) {
    if (path[0] == '/') return path;
    char base[PATH_MAX];
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return path;
    } else {
        path_of(at, base);
    }
    snprintf(into, PATH_MAX, "%s/%s", base, path);
    return into;
}

/* Counts an operation; returns an error number, or 0. `half`: set where the operation is to be done by half. */
static int meet(int operation, const char* what, const char* path, int* half) {
    if (!is_below(path)) return 0;
    int before = errno;
    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (record >= 0) dprintf(record, "%s %s\n", what, path + strlen(folder));
    errno = before;
    if (last && number == last) _exit(137);
    if (!fault || number < first) return 0;
    if (number == first) {
        if ((fault == KILLED || fault == FULL) && half) {
            *half = 1;
            return 0;
        }
        if (fault == KILLED) _exit(137);
        if (fault == GONE) {
            REAL(int, rename, const char*, const char*);
            real(folder, elsewhere);
            errno = before;
        }
    }
    if (fault == FULL && (operation == CREATE || operation == WRITE || operation == FLUSH)) return ENOSPC;
    if (fault == DENIED && operation != WRITE && operation != FLUSH) return EACCES;
    return 0;
}

#define FAIL_IF(error) \
    do {               \
        int e = error; \
        if (e) {       \
            errno = e; \
            return -1; \
        }              \
    } while (0)

static int opening(int at, const char* path, int flags) {
    char buffer[PATH_MAX];
    if ((flags & O_ACCMODE) == O_RDONLY) return 0;
    return meet(flags & O_CREAT ? CREATE : OPEN, "open", absolute(at, path, buffer), NULL);
}

#define MODE                       \
    mode_t mode = 0;               \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list more;              \
        va_start(more, flags);     \
        mode = va_arg(more, mode_t); \
        va_end(more);              \
    }

#define DEFINE_OPEN(name)                                  \
    int name(const char* path, int flags, ...) {           \
        REAL(int, name, const char*, int, ...);            \
        MODE FAIL_IF(opening(AT_FDCWD, path, flags));      \
        return real(path, flags, mode);                    \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(name)                                \
    int name(int at, const char* path, int flags, ...) {   \
        REAL(int, name, int, const char*, int, ...);       \
        MODE FAIL_IF(opening(at, path, flags));            \
        return real(at, path, flags, mode);                \
    }
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* Of a write that is done by half: what it returns, or the end of the process. */
static ssize_t after_half(ssize_t written) {
    if (fault == KILLED) _exit(137);
    return written;
}

ssize_t write(int descriptor, const void* data, size_t size) {
    REAL(ssize_t, write, int, const void*, size_t);
    char path[PATH_MAX];
    int half = 0;
    FAIL_IF(meet(WRITE, "write", path_of(descriptor, path), size > 1 ? &half : NULL));
    return half ? after_half(real(descriptor, data, size / 2)) : real(descriptor, data, size);
}

#define DEFINE_PWRITE(name)                                                                       \
    ssize_t name(int descriptor, const void* data, size_t size, off_t offset) {                   \
        REAL(ssize_t, name, int, const void*, size_t, off_t);                                     \
        char path[PATH_MAX];                                                                      \
        int half = 0;                                                                             \
        FAIL_IF(meet(WRITE, "write", path_of(descriptor, path), size > 1 ? &half : NULL));        \
        return half ? after_half(real(descriptor, data, size / 2, offset)) : real(descriptor, data, size, offset); \
    }
DEFINE_PWRITE(pwrite)
DEFINE_PWRITE(pwrite64)

ssize_t writev(int descriptor, const struct iovec* parts, int number) {
    REAL(ssize_t, writev, int, const struct iovec*, int);
    char path[PATH_MAX];
    FAIL_IF(meet(WRITE, "write", path_of(descriptor, path), NULL));
    return real(descriptor, parts, number);
}

#define DEFINE_SENDFILE(name)                                          \
    ssize_t name(int to, int from, off_t* offset, size_t size) {       \
        REAL(ssize_t, name, int, int, off_t*, size_t);                 \
        char path[PATH_MAX];                                           \
        FAIL_IF(meet(WRITE, "write", path_of(to, path), NULL));        \
        return real(to, from, offset, size);                           \
    }
DEFINE_SENDFILE(sendfile)
DEFINE_SENDFILE(sendfile64)

#define DEFINE_FALLOCATE(name)                                         \
    int name(int descriptor, off_t offset, off_t size) {               \
        REAL(int, name, int, off_t, off_t);                            \
        char path[PATH_MAX];                                           \
        int error = meet(WRITE, "allocate", path_of(descriptor, path), NULL); \
        return error ? error : real(descriptor, offset, size);         \
    }
DEFINE_FALLOCATE(posix_fallocate)
DEFINE_FALLOCATE(posix_fallocate64)

#define DEFINE_TRUNCATE(name)                                          \
    int name(int descriptor, off_t size) {                             \
        REAL(int, name, int, off_t);                                   \
        char path[PATH_MAX];                                           \
        FAIL_IF(meet(WRITE, "truncate", path_of(descriptor, path), NULL)); \
        return real(descriptor, size);                                 \
    }
DEFINE_TRUNCATE(ftruncate)
DEFINE_TRUNCATE(ftruncate64)

#define DEFINE_FLUSH(name)                                             \
    int name(int descriptor) {                                         \
        REAL(int, name, int);                                          \
        char path[PATH_MAX];                                           \
        FAIL_IF(meet(FLUSH, "flush", path_of(descriptor, path), NULL)); \
        return real(descriptor);                                       \
    }
DEFINE_FLUSH(fsync)
DEFINE_FLUSH(fdatasync)

int rename(const char* from, const char* to) {
    REAL(int, rename, const char*, const char*);
    char buffer[PATH_MAX];
    FAIL_IF(meet(NAME, "rename", absolute(AT_FDCWD, to, buffer), NULL));
    return real(from, to);
}

int mkdir(const char* path, mode_t mode) {
    REAL(int, mkdir, const char*, mode_t);
    char buffer[PATH_MAX];
    struct stat status;
    if (stat(path, &status)) FAIL_IF(meet(CREATE, "mkdir", absolute(AT_FDCWD, path, buffer), NULL));
    return real(path, mode);
}

int unlink(const char* path) {
    REAL(int, unlink, const char*);
    char buffer[PATH_MAX];
    FAIL_IF(meet(NAME, "remove", absolute(AT_FDCWD, path, buffer), NULL));
    return real(path);
}

int unlinkat(int at, const char* path, int flags) {
    REAL(int, unlinkat, int, const char*, int);
    char buffer[PATH_MAX];
    FAIL_IF(meet(NAME, "remove", absolute(at, path, buffer), NULL));
    return real(at, path, flags);
}

int rmdir(const char* path) {
    REAL(int, rmdir, const char*);
    char buffer[PATH_MAX];
    FAIL_IF(meet(NAME, "remove", absolute(AT_FDCWD, path, buffer), NULL));
    return real(path);
}
