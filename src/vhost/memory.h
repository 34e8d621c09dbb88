#pragma once

/* The guest's memory as the front end shares it: up to eight files, each mapped once. Two address
 * spaces lead into it: descriptors hold guest-physical addresses, the front end's messages its own
 * virtual ones. The guest may change a byte between any two looks at it. */

#include <stddef.h>
#include <stdint.h>

enum { MEMORY_REGIONS_MAX = 8 }; /* as many as SET_MEM_TABLE can name */

typedef struct MemoryRegion {
        uint64_t guest_address;
        uint64_t user_address; /* in the front end */
        uint64_t size;
        uint64_t offset; /* of the region's first byte in the file */
} MemoryRegion;

typedef struct Memory {
        struct {
                MemoryRegion region;
                uint8_t *map; /* of the file from its beginning, offset + size bytes */
        } regions[MEMORY_REGIONS_MAX];
        size_t n;
} Memory;

/* Maps the file at @fd as one more region; @fd stays the caller's. Returns 0, or
 * -EPERM    the file could be truncated under us: it lacks F_SEAL_SHRINK,
 * -ERANGE   the region wraps around or reaches beyond its file,
 * -ENOSPC   too many regions,
 * or -errno. */
int memory_add(Memory *memory, const MemoryRegion *region, int fd);
void memory_done(Memory *memory);

/* Where @n bytes at an address are; NULL unless all of them lie in one region. */
void *memory_at_guest(const Memory *memory, uint64_t address, uint64_t n);
void *memory_at_user(const Memory *memory, uint64_t address, uint64_t n);
