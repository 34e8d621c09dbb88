/* A tracer that misbehaves as the file MODE_FILE of the guest says:
 *   mute       acknowledges, never answers a flush
 *   stop       stops itself (SIGSTOP) before it says anything
 *   stop-last  acknowledges, stops itself instead of answering a flush
 *   close      acknowledges, then closes the link and lives on
 *   close-last acknowledges, closes the link and lives on instead of answering a flush
 *   dies-last  acknowledges, and when it was asked to flush and may, GO_FILE, says a lot, the answer
 *              last, and exits at once
 *   early      answers the flush before it was asked, then as mute
 *   garbage    sends what is no record for init, behaves otherwise
 *   flood      acknowledges, then sends records for ever and reads none
 * Like the real one it ignores SIGTERM. What descriptors it got it writes to DESCRIPTORS_FILE. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/record.h"

#define MODE_FILE "/etc/rootspan/bad-tracer"
#define DESCRIPTORS_FILE "/host/tracer-descriptors"
#define ASKED_FILE "/host/asked"
#define GO_FILE "/host/go"

enum { LINK_FD = 3, DESCRIPTORS_MAX = 1024, LAST_WORDS = 100 };

static void write_descriptors(void)
{
        FILE *out;
        int n = 0, fds[DESCRIPTORS_MAX];

        for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        fds[n++] = fd;
        out = fopen(DESCRIPTORS_FILE, "we");
        for (int i = 0; out && i < n; i++)
                fprintf(out, "%d ", fds[i]);
        if (out)
                (void)fclose(out);
}

static void read_mode(char *ret, int size)
{
        FILE *in = fopen(MODE_FILE, "re");

        if (!in || !fgets(ret, size, in))
                exit(99);
        ret[strcspn(ret, "\n")] = '\0';
        (void)fclose(in);
}

static void say(LinkType type)
{
        static uint8_t data[LINK_RECORD_MAX];
        LinkRecord record = {.type = type};
        ptrdiff_t n;

        if (type == LINK_FLUSHED)
                record.flushed.outcome = FLUSH_DELIVERED;
        n = link_record_encode(&record, data, sizeof(data));
        if (n < 0 || send(LINK_FD, data, (size_t)n, MSG_NOSIGNAL) < 0)
                exit(98); /* init is gone */
}

static void send_garbage(void)
{
        static uint8_t data[2 * LINK_RECORD_MAX];
        static const uint8_t flush[] = {LINK_FLUSH, 0}, unknown[] = {0xff}, cut[] = {LINK_FLUSHED, 0};

        memset(data, 0xa5, sizeof(data));
        (void)send(LINK_FD, data, sizeof(data), MSG_NOSIGNAL);
        (void)send(LINK_FD, data, 100, MSG_NOSIGNAL);
        (void)send(LINK_FD, flush, sizeof(flush), MSG_NOSIGNAL);
        (void)send(LINK_FD, unknown, sizeof(unknown), MSG_NOSIGNAL);
        (void)send(LINK_FD, cut, sizeof(cut), MSG_NOSIGNAL);
}

static void wait_for_flush(void)
{
        static uint8_t data[LINK_RECORD_MAX];

        do {
                if (recv(LINK_FD, data, sizeof(data), 0) <= 0)
                        exit(0); /* init closed the link */
        } while (data[0] != LINK_FLUSH);
}

static _Noreturn void speak_and_die(void)
{
        (void)close(open(ASKED_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        while (access(GO_FILE, F_OK) < 0)
                (void)usleep(1000);
        for (int i = 0; i < LAST_WORDS; i++)
                say(LINK_FAILED);
        say(LINK_FLUSHED);
        exit(0);
}

static void live_on(void)
{
        for (;;)
                (void)pause();
}

int main(void)
{
        char mode[32];

        write_descriptors();
        read_mode(mode, sizeof(mode));
        (void)signal(SIGTERM, SIG_IGN);
        (void)fcntl(LINK_FD, F_SETFL, 0); /* it came non-blocking */
        if (strcmp(mode, "stop") == 0)
                (void)raise(SIGSTOP);
        if (strcmp(mode, "early") == 0)
                say(LINK_FLUSHED);
        if (strcmp(mode, "garbage") == 0)
                send_garbage();
        say(LINK_ACKED);
        while (strcmp(mode, "flood") == 0)
                say(LINK_FAILED);
        if (strcmp(mode, "close") == 0) {
                (void)close(LINK_FD);
                live_on();
        }
        wait_for_flush();
        if (strcmp(mode, "dies-last") == 0)
                speak_and_die();
        if (strcmp(mode, "stop-last") == 0)
                (void)raise(SIGSTOP);
        if (strcmp(mode, "close-last") == 0) {
                (void)close(LINK_FD);
                live_on();
        }
        if (strcmp(mode, "garbage") == 0) {
                send_garbage();
                say(LINK_FLUSHED);
        }
        for (;;)
                wait_for_flush();
}
