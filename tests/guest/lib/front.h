/* SPDX-License-Identifier: GPL-2.0 */
/*
 * front.h - the server's side of a device with files (UBDX_IOC_SET_FILE), for tests: register files,
 * leave extents of them with the driver, take the extents back, and see whether a client's request
 * comes to the server.
 */
#ifndef UBDX_FRONT_H
#define UBDX_FRONT_H

#include "single.h"

#define RW (UBDX_EXTENT_READ | UBDX_EXTENT_WRITE)

/* BYTES each: the client's memory, what it writes, and what file_has() has read. */
extern char *mem, *pattern, *scratch;
void front_buffers(void);

/*
 * The ioctls. They return 0 or -errno. @at and @bytes are those of the device, in bytes; @offset is
 * that of the file.
 */
int set_file(unsigned int index, int fd);
int map_many(const struct ubdx_map_extent *extents, unsigned int nr);
int map(off_t at, size_t bytes, unsigned int file, off_t offset, unsigned int flags);
int take_back(off_t at, size_t bytes, unsigned int flags);

/* Write the name to the device's file `resolver` in sysfs. Returns 0 or -errno. */
int set_resolver(const char *name);

/*
 * A client writes @pattern, or reads. Both return the client's result. without_server() bails out
 * if a request comes to the server. with_server() serves the request, and bails out if none comes.
 */
int without_server(bool write, off_t at, size_t bytes);
int with_server(bool write, off_t at, size_t bytes);
/* As with_server(), but only this part of the client's bytes must come to the server. */
int partly_with_server(bool write, off_t at, size_t bytes, off_t part_at, size_t part_bytes);

/* Does the file have these bytes there? */
bool file_has(int fd, off_t at, const char *what, size_t bytes);

#endif /* UBDX_FRONT_H */
