/* The guest's memory. A file that could shrink would turn our next access into SIGBUS, so only
 * memfds sealed against it are taken; QEMU's memory-backend-memfd seals its own. */

#include "vhost/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/macro.h"

int memory_add(Memory *memory, const MemoryRegion *region, int fd)
{
        struct stat st;
        uint64_t end;
        uint8_t *map;
        int seals;

        if (memory->n == MEMORY_REGIONS_MAX)
                return -ENOSPC;
        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || !(seals & F_SEAL_SHRINK))
                return -EPERM;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (region->size == 0 || region->guest_address > UINT64_MAX - region->size ||
            region->user_address > UINT64_MAX - region->size ||
            __builtin_add_overflow(region->offset, region->size, &end) ||
            end > (uint64_t)st.st_size)
                return -ERANGE;

        /* From the beginning, since an offset need not be a multiple of a (huge) page. */
        map = mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        memory->regions[memory->n].region = *region;
        memory->regions[memory->n].map = map;
        memory->n++;
        return 0;
}

void memory_done(Memory *memory)
{
        for (size_t i = 0; i < memory->n; i++) {
                const MemoryRegion *region = &memory->regions[i].region;

                (void)munmap(memory->regions[i].map, region->offset + region->size);
        }
        memory->n = 0;
}

/* Do @n bytes at @address lie within @size bytes at @start? */
static bool contains(uint64_t start, uint64_t size, uint64_t address, uint64_t n)
{
        return address >= start && address - start <= size && n <= size - (address - start);
}

void *memory_at_guest(const Memory *memory, uint64_t address, uint64_t n)
{
        for (size_t i = 0; i < memory->n; i++) {
                const MemoryRegion *region = &memory->regions[i].region;

                if (contains(region->guest_address, region->size, address, n))
                        return memory->regions[i].map + region->offset +
                               (address - region->guest_address);
        }
        return NULL;
}

void *memory_at_user(const Memory *memory, uint64_t address, uint64_t n)
{
        for (size_t i = 0; i < memory->n; i++) {
                const MemoryRegion *region = &memory->regions[i].region;

                if (contains(region->user_address, region->size, address, n))
                        return memory->regions[i].map + region->offset +
                               (address - region->user_address);
        }
        return NULL;
}
